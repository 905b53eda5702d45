use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::reader::{Reader, any_length};
use super::{ConfigError, Data};
use crate::duration::Nanos;

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
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (keys, field) in [
            (
                ["lease-duration", "leaseDuration"],
                &mut config.lease_duration,
            ),
            (
                ["renew-deadline", "renewDeadline"],
                &mut config.renew_deadline,
            ),
            (["retry-period", "retryPeriod"], &mut config.retry_period),
        ] {
            data.duration(&keys, field, any_length)?;
        }
        data.number(&["buckets"], &mut config.buckets)?;
        let prefixes = data.with_prefix(PREFIX);
        let prefixes = prefixes.map(|(from, to)| (from.to_owned(), to.to_owned()));
        config.map_lease_prefix = prefixes.collect();
        config.check()?;
        Ok(config)
    }

    /// What the names of the leases of a set begin with: `stem`, unless `map-lease-prefix.` and the
    /// stem without its last dot name something else. Upper and lower case are the same there.
    pub fn lease_stem(&self, stem: &str) -> String {
        let Some(prefix) = stem.strip_suffix('.') else {
            return stem.to_owned();
        };
        let mut other = self.map_lease_prefix.iter();
        let other = other.find(|(from, to)| from.eq_ignore_ascii_case(prefix) && !to.is_empty());
        other.map_or(stem.to_owned(), |(_, to)| {
            format!("{}.", to.to_ascii_lowercase())
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut prefixes = BTreeSet::new();
        let twice = self
            .map_lease_prefix
            .values()
            .find(|to| !to.is_empty() && !prefixes.insert(to.to_ascii_lowercase()));
        let [lease, renew, retry] =
            [self.lease_duration, self.renew_deadline, self.retry_period].map(Nanos::from);
        let fault = if !(1..=MOST_BUCKETS).contains(&self.buckets) {
            format!(
                "buckets: value must be between 1 <= {} <= {MOST_BUCKETS}",
                self.buckets
            )
        } else if self.renew_deadline >= self.lease_duration {
            format!("renew-deadline ({renew}) must be shorter than lease-duration ({lease})")
        } else if self.retry_period.is_zero() || self.retry_period >= self.renew_deadline {
            format!(
                "retry-period ({retry}) must be positive and shorter than renew-deadline ({renew})"
            )
        } else if let Some(twice) = twice {
            format!("map-lease-prefix: {twice:?} is the prefix of more than one set")
        } else {
            return Ok(());
        };
        Err(ConfigError::Invalid(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::LeaderElectionConfig;
    use crate::config::Data;

    fn parse(pairs: &[(&str, &str)]) -> Result<LeaderElectionConfig, String> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        LeaderElectionConfig::parse(&pairs.collect::<Data>()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_set_of_leases_can_have_another_name() {
        let (stem, other) = (
            "controller.x.route.reconciler.",
            "controller.x.gc.reconciler.",
        );
        let config = parse(&[
            ("map-lease-prefix.controller.x.route.Reconciler", "Routes"),
            ("map-lease-prefix.controller.x.gc.reconciler", ""),
        ])
        .unwrap();
        assert_eq!(config.lease_stem(stem), "routes.");
        assert_eq!(config.lease_stem(other), other);
        assert_eq!(
            config.lease_stem("autoscaler-bucket-"),
            "autoscaler-bucket-"
        );
    }

    #[test]
    fn two_sets_never_share_their_leases() {
        let twice = parse(&[
            ("map-lease-prefix.a", "same"),
            ("map-lease-prefix.b", "Same"),
        ]);
        let fault = "map-lease-prefix: \"Same\" is the prefix of more than one set";
        assert_eq!(twice, Err(fault.to_owned()));
        assert!(parse(&[("map-lease-prefix.a", ""), ("map-lease-prefix.b", "")]).is_ok());
    }
}
