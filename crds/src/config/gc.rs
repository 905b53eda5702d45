use std::time::Duration;

use super::reader::{Reader, duration};
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
        let mut config = Self::default();
        let data = Reader(data);
        let since = |text: &str| if_enabled(text, duration);
        data.with(
            &["retain-since-create-time"],
            &mut config.retain_since_create_time,
            since,
        )?;
        let last_active = &mut config.retain_since_last_active_time;
        data.with(&["retain-since-last-active-time"], last_active, since)?;
        data.number(
            &["min-non-active-revisions"],
            &mut config.min_non_active_revisions,
        )?;
        data.with(
            &["max-non-active-revisions"],
            &mut config.max_non_active_revisions,
            |text| {
                if_enabled(text, |text| {
                    text.parse()
                        .map_err(|error: std::num::ParseIntError| error.to_string())
                })
            },
        )?;
        match config.max_non_active_revisions {
            Some(max) if config.min_non_active_revisions > max => {
                Err(ConfigError::Invalid(format!(
                    "min-non-active-revisions({}) must be <= max-non-active-revisions({max})",
                    config.min_non_active_revisions
                )))
            }
            _ => Ok(config),
        }
    }
}

fn if_enabled<T>(
    text: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text.eq_ignore_ascii_case(DISABLED) {
        return Ok(None);
    }
    read(text).map(Some)
}
