use std::time::Duration;

use super::reader::{Reader, nanos};
use super::{ConfigError, Data};

const DISABLED: &str = "disabled";

/// config-gc: which revisions are deleted (contract/control-plane 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcConfig {
    /// How long a revision stays after it was made; nothing: this does not count.
    pub retain_since_create_time: Option<Duration>,
    /// How long a revision stays after its last use; nothing: this does not count.
    pub retain_since_last_active_time: Option<Duration>,
    /// Unused revisions that stay in any case.
    pub min_non_active_revisions: usize,
    /// Most unused revisions; nothing: no limit.
    pub max_non_active_revisions: Option<usize>,
}

impl Default for GcConfig {
    fn default() -> Self {
        Self {
            retain_since_create_time: Some(Duration::from_secs(48 * 3600)),
            retain_since_last_active_time: Some(Duration::from_secs(15 * 3600)),
            min_non_active_revisions: 20,
            max_non_active_revisions: Some(1000),
        }
    }
}

impl GcConfig {
    /// Reads the data of config-gc.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let create = &mut config.retain_since_create_time;
        limit(data, "retain-since-create-time", create, time)?;
        let last_active = &mut config.retain_since_last_active_time;
        limit(data, "retain-since-last-active-time", last_active, time)?;
        let max = &mut config.max_non_active_revisions;
        limit(data, "max-non-active-revisions", max, count)?;
        let mut min = i64::try_from(config.min_non_active_revisions).unwrap_or(i64::MAX);
        data.number(&["min-non-active-revisions"], &mut min)?;
        config.min_non_active_revisions = usize::try_from(min).map_err(|_| {
            let fault = format!("min-non-active-revisions must be non-negative, was: {min}");
            ConfigError::Invalid(fault)
        })?;
        match config.max_non_active_revisions {
            Some(max) if config.min_non_active_revisions > max => {
                Err(ConfigError::Invalid(format!(
                    "min-non-active-revisions({min}) must be <= max-non-active-revisions({max})"
                )))
            }
            _ => Ok(config),
        }
    }
}

/// Reads a limit that can be `disabled`; an empty text leaves it alone.
fn limit<T: Copy>(
    data: &Reader<'_>,
    key: &str,
    field: &mut Option<T>,
    read: fn(&str) -> Result<T, String>,
) -> Result<(), ConfigError> {
    let before = *field;
    data.with(&[key], field, |text| match text.trim() {
        "" => Ok(before),
        text if text.eq_ignore_ascii_case(DISABLED) => Ok(None),
        text => read(text).map(Some),
    })
}

fn time(text: &str) -> Result<Duration, String> {
    nanos(text)?
        .to_std()
        .ok_or_else(|| "must be non-negative".to_owned())
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse::<i64>().map(usize::try_from) {
        Ok(Ok(count)) => Ok(count),
        _ => Err(format!("{text:?} is not a count")),
    }
}
