use std::collections::BTreeMap;
use std::time::Duration;

use super::reader::Reader;
use super::{ConfigError, Data};

const MOST_BUCKETS: u32 = 10;
const PREFIX: &str = "map-lease-prefix.";

/// config-leader-election: who of several replicas does the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderElectionConfig {
    /// How long a lease holds without renewal.
    pub lease_duration: Duration,
    /// How long a holder tries to renew before it gives up.
    pub renew_deadline: Duration,
    /// Pause between two tries.
    pub retry_period: Duration,
    /// Parts that the work is split into, 1 to 10.
    pub buckets: u32,
    /// Other names for sets of leases.
    pub map_lease_prefix: BTreeMap<String, String>,
}

impl Default for LeaderElectionConfig {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(60),
            renew_deadline: Duration::from_secs(40),
            retry_period: Duration::from_secs(10),
            buckets: 1,
            map_lease_prefix: BTreeMap::new(),
        }
    }
}

impl LeaderElectionConfig {
    /// Reads the data of config-leader-election.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let reader = Reader(data);
        reader.duration(
            &["lease-duration", "leaseDuration"],
            &mut config.lease_duration,
        )?;
        reader.duration(
            &["renew-deadline", "renewDeadline"],
            &mut config.renew_deadline,
        )?;
        reader.duration(&["retry-period", "retryPeriod"], &mut config.retry_period)?;
        reader.number(&["buckets"], &mut config.buckets)?;
        let prefixes = data
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?.to_owned(), value.clone())));
        config.map_lease_prefix = prefixes.collect();
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fault = if !(1..=MOST_BUCKETS).contains(&self.buckets) {
            format!(
                "buckets: value must be between 1 <= {} <= {MOST_BUCKETS}",
                self.buckets
            )
        } else if self.renew_deadline >= self.lease_duration {
            "renew-deadline must be shorter than lease-duration".to_owned()
        } else if self.retry_period.is_zero() || self.retry_period >= self.renew_deadline {
            "retry-period must be positive and shorter than renew-deadline".to_owned()
        } else {
            return Ok(());
        };
        Err(ConfigError::Invalid(fault))
    }
}
