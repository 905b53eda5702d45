//! Reads typed values out of a config map, and remembers which keys mean something.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{ConfigError, Data};
use crate::duration::{DurationError, Nanos};
use crate::quantity;
use crate::template::Template;

/// A config map. Each method leaves the field alone when none of the keys is there. Of several
/// spellings of a key the first wins, but all that are there must be readable.
pub(super) struct Reader<'a> {
    data: &'a Data,
    known: RefCell<BTreeSet<String>>,
    prefixes: RefCell<BTreeSet<&'static str>>,
    notes: RefCell<Vec<String>>,
}

type Read = Result<(), ConfigError>;

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a Data) -> Self {
        Self {
            data,
            known: RefCell::default(),
            prefixes: RefCell::default(),
            notes: RefCell::default(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.known.borrow_mut().insert(key.to_owned());
        self.data.get(key).map(String::as_str)
    }

    /// The keys that begin with `prefix`, without it, and their values.
    pub(super) fn with_prefix(
        &self,
        prefix: &'static str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.prefixes.borrow_mut().insert(prefix);
        let entries = self.data.iter();
        entries.filter_map(move |(key, value)| match key.strip_prefix(prefix)? {
            "" => None,
            rest => Some((rest, value.as_str())),
        })
    }

    /// Tells whoever writes the map something that is no reason to refuse it.
    pub(super) fn note(&self, text: impl Into<String>) {
        self.notes.borrow_mut().push(text.into());
    }

    /// The value that wins, as it is.
    pub(super) fn winner(&self, keys: &[&str]) -> Option<&'a str> {
        let values: Vec<_> = keys.iter().map(|key| self.get(key)).collect();
        values.into_iter().flatten().next()
    }

    /// Sets `field` to what `read` makes of the value.
    pub(super) fn with<T, E: Display>(
        &self,
        keys: &[&str],
        field: &mut T,
        read: impl Fn(&'a str) -> Result<T, E>,
    ) -> Read {
        for key in keys.iter().rev() {
            if let Some(text) = self.get(key) {
                *field = read(text).map_err(|error| ConfigError::unreadable(key, &error))?;
            }
        }
        Ok(())
    }

    /// Sets `field` to the text without the spaces around it.
    pub(super) fn text(&self, keys: &[&str], field: &mut String) {
        if let Some(text) = self.winner(keys) {
            text.trim().clone_into(field);
        }
    }

    pub(super) fn number<T>(&self, keys: &[&str], field: &mut T) -> Read
    where
        T: FromStr<Err = ParseIntError>,
    {
        self.with(keys, field, number)
    }

    pub(super) fn float(&self, key: &str, field: &mut f64) -> Read {
        self.with(&[key], field, |text| match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(format!("{text:?} is not a number")),
        })
    }

    pub(super) fn boolean(&self, keys: &[&str], field: &mut bool) -> Read {
        self.with(keys, field, |text| {
            boolean(text).ok_or_else(|| format!("{text:?} is neither true nor false"))
        })
    }

    /// A duration that `fault` finds nothing wrong with; a negative one is never right.
    pub(super) fn duration(
        &self,
        keys: &[&str],
        field: &mut Duration,
        fault: impl Fn(Nanos) -> Option<&'static str>,
    ) -> Read {
        let mut read = Nanos::from(*field);
        self.with(keys, &mut read, nanos)?;
        let key = keys.first().copied().unwrap_or_default();
        let invalid = |why: &str| ConfigError::Invalid(format!("{key} {why}, was: {read}"));
        if let Some(why) = fault(read) {
            return Err(invalid(why));
        }
        *field = read.to_std().ok_or_else(|| invalid("cannot be negative"))?;
        Ok(())
    }

    pub(super) fn quantity(&self, keys: &[&str], field: &mut Option<Quantity>) -> Read {
        self.with(keys, field, |text| quantity::parse(text).map(Some))
    }

    /// The template that wins, read.
    pub(super) fn template(&self, keys: &[&str], field: &mut Template) -> Read {
        let mut source = field.as_str().to_owned();
        self.text(keys, &mut source);
        let key = keys.first().copied().unwrap_or_default();
        *field = Template::parse(&source).map_err(|error| ConfigError::unreadable(key, &error))?;
        Ok(())
    }

    /// A comma separated set; spaces around the entries do not count.
    pub(super) fn set(&self, keys: &[&str], field: &mut BTreeSet<String>) {
        if let Some(text) = self.winner(keys) {
            let entries = text.split(',').map(str::trim);
            let entries = entries.filter(|entry| !entry.is_empty());
            *field = entries.map(str::to_owned).collect();
        }
    }

    /// One of `choices`, in any case. Any other text leaves the field alone and is noted.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], field: &mut T) {
        let Some(text) = self.get(key) else {
            return;
        };
        match choice(text, choices) {
            Ok(value) => *field = value,
            Err(why) => self.note(format!("{key} has no effect: {why}")),
        }
    }

    /// Every key that was asked for, and every prefix with a `*` behind it.
    pub(super) fn into_known(self) -> BTreeSet<String> {
        let mut known = self.known.into_inner();
        let prefixes = self.prefixes.into_inner();
        known.extend(prefixes.into_iter().map(|prefix| format!("{prefix}*")));
        known
    }

    /// What was noted, and the keys that mean nothing.
    pub(super) fn into_notes(self) -> Vec<String> {
        let known = self.known.into_inner();
        let prefixes = self.prefixes.into_inner();
        let means_something = |key: &str| {
            key.starts_with('_')
                || known.contains(key)
                || prefixes.iter().any(|prefix| key.starts_with(prefix))
        };
        let mut notes = self.notes.into_inner();
        for key in self.data.keys().filter(|key| !means_something(key)) {
            notes.push(match known.iter().find(|known| is_near(key, known)) {
                Some(meant) => format!("{key} is not a known key and has no effect: {meant}?"),
                None => format!("{key} is not a known key and has no effect"),
            });
        }
        notes
    }
}

/// Whether one edit (a character more, less or other) makes one of the other.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[start..], &other[start..]);
    let end = one.iter().rev().zip(other.iter().rev());
    let end = end.take_while(|(a, b)| a == b).count();
    one.len().max(other.len()) - end <= 1
}

fn number<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => {
                format!("{text} is out of range")
            }
            _ => format!("{text:?} is not a whole number"),
        })
}

/// A duration, or how to write one.
pub(super) fn nanos(text: &str) -> Result<Nanos, String> {
    text.parse()
        .map_err(|error: DurationError| match text.parse::<f64>() {
            Ok(_) => format!("{error}: it has no unit, as in 90s"),
            Err(_) => format!("{error}: one is written like 500ms, 90s or 1h30m"),
        })
}

/// For durations of any length.
pub(super) fn any_length(_: Nanos) -> Option<&'static str> {
    None
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
