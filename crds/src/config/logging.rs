use std::collections::BTreeMap;

use super::{ConfigError, Data};

const LEVELS: [&str; 7] = ["debug", "info", "warn", "error", "dpanic", "panic", "fatal"];

/// config-logging: what the parts of the system log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggingConfig {
    /// Settings of the peer's logger, JSON; handed to sidecars as it is.
    pub zap_logger_config: String,
    /// Level of each part (`controller`, `queueproxy`, ...).
    pub levels: BTreeMap<String, String>,
}

impl LoggingConfig {
    /// Reads the data of config-logging.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        let zap = data.get("zap-logger-config").cloned().unwrap_or_default();
        if !zap.trim().is_empty() {
            let json: Result<serde_json::Value, _> = serde_json::from_str(&zap);
            json.map_err(|error| ConfigError::unreadable("zap-logger-config", &error))?;
        }
        let mut levels = BTreeMap::new();
        for (key, level) in data {
            let Some(part) = key.strip_prefix("loglevel.") else {
                continue;
            };
            if level.is_empty() {
                continue;
            }
            let known = LEVELS
                .iter()
                .find(|known| known.eq_ignore_ascii_case(level));
            let known = known.ok_or_else(|| {
                ConfigError::unreadable(
                    key,
                    &format!("{level:?} is not one of {}", LEVELS.join(", ")),
                )
            })?;
            levels.insert(part.to_owned(), (*known).to_owned());
        }
        Ok(Self {
            zap_logger_config: zap,
            levels,
        })
    }

    /// Level of `part`: `info` when nothing is said.
    pub fn level(&self, part: &str) -> &str {
        self.levels.get(part).map_or("info", String::as_str)
    }
}
