use std::collections::BTreeMap;

use super::reader::{Reader, choice};
use super::{ConfigError, Data};

/// The peer's names of levels; the second word for `warn` is its own.
const LEVELS: [(&str, &str); 8] = [
    ("debug", "debug"),
    ("info", "info"),
    ("warn", "warn"),
    ("warning", "warn"),
    ("error", "error"),
    ("dpanic", "dpanic"),
    ("panic", "panic"),
    ("fatal", "fatal"),
];

/// config-logging: what the parts of the system log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggingConfig {
    /// Settings of the peer's logger, JSON; handed to sidecars as it is.
    pub zap_logger_config: String,
    /// Level of each part (`controller`, `queueproxy`, ...).
    pub levels: BTreeMap<String, String>,
}

impl LoggingConfig {
    /// Reads the data of config-logging. Settings of the logger that are not JSON count as none.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        const ZAP: &str = "zap-logger-config";
        let zap = data.get(ZAP).unwrap_or_default();
        let json = match zap.trim() {
            "" => Ok(serde_json::Value::Null),
            zap => serde_json::from_str(zap),
        };
        if let Err(error) = &json {
            data.note(format!("{ZAP} has no effect: {error}"));
        }
        let levels = data.with_prefix("loglevel.");
        let levels = levels.filter(|(_, level)| !level.is_empty());
        let levels = levels.map(|(part, level)| match choice(level, &LEVELS) {
            Ok(level) => Ok((part.to_owned(), level.to_owned())),
            Err(why) => Err(ConfigError::unreadable(&format!("loglevel.{part}"), &why)),
        });
        Ok(Self {
            zap_logger_config: if json.is_ok() {
                zap.to_owned()
            } else {
                String::new()
            },
            levels: levels.collect::<Result<_, ConfigError>>()?,
        })
    }

    /// Level of `part`: `info` when nothing is said.
    pub fn level(&self, part: &str) -> &str {
        self.levels.get(part).map_or("info", String::as_str)
    }
}
