//! The grammar of what users read when an object is refused (contract/control-plane 1.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Whether an entry refuses the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Error,
    Warning,
}

/// What is wrong, and where. The paths are relative until every caller has put its field in front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FieldError {
    message: String,
    details: String,
    level: Level,
    paths: BTreeSet<String>,
}

/// Everything that is wrong with an object. Empty means that it is fine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Nothing is wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// `message` about `paths`; an empty path is the object itself.
    pub fn new<P: Into<String>>(
        message: impl Into<String>,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        Self(vec![FieldError {
            message: message.into(),
            details: String::new(),
            level: Level::Error,
            paths: paths.into_iter().map(Into::into).collect(),
        }])
    }

    /// A field is absent.
    pub fn missing<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("missing field(s)", paths)
    }

    /// A field may not be there.
    pub fn disallowed<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("must not set the field(s)", paths)
    }

    /// A value is bad.
    pub fn invalid(value: impl fmt::Display, path: impl Into<String>) -> Self {
        Self::new(format!("invalid value: {value}"), [path])
    }

    /// Of several fields none is there.
    pub fn neither<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("expected exactly one, got neither", paths)
    }

    /// Of several fields more than one is there.
    pub fn both<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("expected exactly one, got both", paths)
    }

    /// A key of a map is bad.
    pub fn invalid_key(key: &str, path: impl Into<String>) -> Self {
        Self::new(format!("invalid key name {key:?}"), [path])
    }

    /// A value is out of bounds.
    pub fn out_of_bounds(
        value: impl fmt::Display,
        low: impl fmt::Display,
        high: impl fmt::Display,
        path: impl Into<String>,
    ) -> Self {
        Self::new(format!("expected {low} <= {value} <= {high}"), [path])
    }

    /// Adds details to every entry: a line of their own below it.
    pub fn details(mut self, details: impl Into<String>) -> Self {
        let details = details.into();
        self.0
            .iter_mut()
            .for_each(|error| error.details.clone_from(&details));
        self
    }

    /// Turns every entry into a warning, which does not refuse the object.
    pub fn as_warnings(mut self) -> Self {
        self.0
            .iter_mut()
            .for_each(|error| error.level = Level::Warning);
        self
    }

    /// Takes in what else is wrong.
    pub fn also(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Puts `field` in front of every path.
    pub fn at(mut self, field: &str) -> Self {
        for error in &mut self.0 {
            error.paths = error.paths.iter().map(|path| join(field, path)).collect();
        }
        self
    }

    /// Puts `field[index]` in front of every path.
    pub fn at_index(self, field: &str, index: usize) -> Self {
        self.at(&format!("{field}[{index}]"))
    }

    /// Puts `field[key]` in front of every path.
    pub fn at_key(self, field: &str, key: &str) -> Self {
        self.at(&format!("{field}[{key}]"))
    }

    /// Whether nothing is wrong and nothing is to be warned of.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What refuses the object.
    pub fn errors(&self) -> Self {
        self.of(Level::Error)
    }

    /// What does not refuse it, one text for each.
    pub fn warnings(&self) -> Vec<String> {
        self.of(Level::Warning)
            .merged()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn of(&self, level: Level) -> Self {
        Self(
            self.0
                .iter()
                .filter(|error| error.level == level)
                .cloned()
                .collect(),
        )
    }

    /// Entries that say the same are one with all paths; sorted.
    fn merged(&self) -> Vec<FieldError> {
        let mut merged: BTreeMap<(&str, &str, Level), BTreeSet<String>> = BTreeMap::new();
        for error in &self.0 {
            let key = (error.message.as_str(), error.details.as_str(), error.level);
            merged
                .entry(key)
                .or_default()
                .extend(error.paths.iter().cloned());
        }
        let entries = merged
            .into_iter()
            .map(|((message, details, level), paths)| FieldError {
                message: message.to_owned(),
                details: details.to_owned(),
                level,
                paths,
            });
        entries.collect()
    }
}

fn join(field: &str, path: &str) -> String {
    match path.as_bytes().first() {
        None => field.to_owned(),
        Some(b'[') => format!("{field}{path}"),
        Some(_) => format!("{field}.{path}"),
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        write!(f, "{}: {}", self.message, paths.join(", "))?;
        if !self.details.is_empty() {
            write!(f, "\n{}", self.details)?;
        }
        Ok(())
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.merged().iter().enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl FromIterator<FieldErrors> for FieldErrors {
    fn from_iter<I: IntoIterator<Item = FieldErrors>>(errors: I) -> Self {
        Self(errors.into_iter().flat_map(|errors| errors.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::FieldErrors;

    #[test]
    fn equal_messages_share_a_line_and_paths_are_sorted() {
        let mut errors = FieldErrors::missing(["b"]).at_index("list", 2).at("spec");
        errors.also(FieldErrors::missing(["a"]));
        errors.also(
            FieldErrors::invalid(3, "")
                .at_key("map", "k")
                .details("because"),
        );
        assert_eq!(
            errors.to_string(),
            "invalid value: 3: map[k]\nbecause\nmissing field(s): a, spec.list[2].b"
        );
    }

    #[test]
    fn warnings_do_not_refuse() {
        let errors = FieldErrors::new("be careful", ["x"]).as_warnings();
        assert!(errors.errors().is_empty());
        assert_eq!(errors.warnings(), ["be careful: x"]);
    }
}
