//! Reads typed values out of a config map.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{ConfigError, Data};
use crate::duration::Nanos;
use crate::quantity;
use crate::template::Template;

/// A config map; each method leaves the field alone when none of the keys is there. Of several
/// spellings of a key the first that is there counts.
pub(super) struct Reader<'a>(pub(super) &'a Data);

type Read = Result<(), ConfigError>;

impl<'a> Reader<'a> {
    pub(super) fn get(&self, keys: &[&'a str]) -> Option<(&'a str, &'a str)> {
        keys.iter()
            .find_map(|key| Some((*key, self.0.get(*key)?.as_str())))
    }

    /// Sets `field` to what `read` makes of the value.
    pub(super) fn with<T, E: ToString>(
        &self,
        keys: &[&'a str],
        field: &mut T,
        read: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Read {
        if let Some((key, text)) = self.get(keys) {
            *field = read(text).map_err(|error| ConfigError::unreadable(key, &error))?;
        }
        Ok(())
    }

    pub(super) fn text(&self, keys: &[&'a str], field: &mut String) {
        if let Some((_, text)) = self.get(keys) {
            text.clone_into(field);
        }
    }

    pub(super) fn number<T>(&self, keys: &[&'a str], field: &mut T) -> Read
    where
        T: FromStr<Err: ToString>,
    {
        self.with(keys, field, str::parse)
    }

    pub(super) fn float(&self, keys: &[&'a str], field: &mut f64) -> Read {
        self.with(keys, field, |text| match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(format!("invalid number {text:?}")),
        })
    }

    pub(super) fn boolean(&self, keys: &[&'a str], field: &mut bool) -> Read {
        self.with(keys, field, |text| {
            boolean(text).ok_or(format!("invalid boolean {text:?}"))
        })
    }

    pub(super) fn duration(&self, keys: &[&'a str], field: &mut Duration) -> Read {
        self.with(keys, field, duration)
    }

    pub(super) fn quantity(&self, keys: &[&'a str], field: &mut Option<Quantity>) -> Read {
        self.with(keys, field, |text| match text {
            "" => Ok(None),
            text => quantity::parse(text).map(Some),
        })
    }

    pub(super) fn template(&self, keys: &[&'a str], field: &mut Template) -> Read {
        self.with(keys, field, Template::parse)
    }

    /// A comma separated set; spaces around the entries do not count.
    pub(super) fn set(&self, keys: &[&'a str], field: &mut BTreeSet<String>) {
        if let Some((_, text)) = self.get(keys) {
            let entries = text
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty());
            *field = entries.map(str::to_owned).collect();
        }
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let nanos: Nanos = text
        .parse()
        .map_err(|error: crate::duration::DurationError| error.to_string())?;
    nanos
        .to_std()
        .ok_or_else(|| format!("negative duration {text:?}"))
}

/// The spellings of a boolean that Go knows.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The value among `choices` that `text` names, in any case.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is not one of {}", names.join(", "))
    })
}
