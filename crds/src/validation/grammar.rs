//! The grammar of what users read when an object is refused (contract/control-plane 1.2).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::text::quoted;

/// Most faults that [`FieldErrors::wrap`] touches, and how often.
const MOST_WRAPPED: usize = 64;
const MOST_WRAPS: usize = 256;

type Text = Cow<'static, str>;

/// Whether a fault refuses the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Error,
    Warning,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    message: Text,
    details: String,
    level: Level,
    paths: Vec<Text>,
}

/// Everything that is wrong with an object. Empty means that it is fine.
///
/// Paths are relative: what is wrong further inside is kept below its field, so that a field in
/// front of many faults costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct FieldErrors {
    faults: Vec<Fault>,
    inside: Vec<(String, FieldErrors)>,
    count: usize,
    depth: usize,
}

impl FieldErrors {
    /// Nothing is wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// `message` about `paths`; an empty path is the object itself.
    pub fn new<P: Into<Text>>(
        message: impl Into<Text>,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        Self::of(vec![Fault {
            message: message.into(),
            details: String::new(),
            level: Level::Error,
            paths: paths.into_iter().map(Into::into).collect(),
        }])
    }

    /// `message` about no field in particular.
    pub fn plain(message: impl Into<Text>) -> Self {
        Self::new::<Text>(message, [])
    }

    /// A field is absent.
    pub fn missing<P: Into<Text>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("missing field(s)", paths)
    }

    /// A field may not be there.
    pub fn disallowed<P: Into<Text>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("must not set the field(s)", paths)
    }

    /// A value is bad.
    pub fn invalid(value: impl fmt::Display, path: impl Into<Text>) -> Self {
        Self::new(format!("invalid value: {value}"), [path])
    }

    /// Of several fields none is there.
    pub fn neither<P: Into<Text>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("expected exactly one, got neither", paths)
    }

    /// Of several fields more than one is there.
    pub fn both<P: Into<Text>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::new("expected exactly one, got both", paths)
    }

    /// A key of a map is bad.
    pub fn invalid_key(key: &str, path: impl Into<Text>) -> Self {
        Self::new(format!("invalid key name {}", quoted(key)), [path])
    }

    /// A value is out of bounds.
    pub fn out_of_bounds(
        value: impl fmt::Display,
        low: impl fmt::Display,
        high: impl fmt::Display,
        path: impl Into<Text>,
    ) -> Self {
        Self::new(format!("expected {low} <= {value} <= {high}"), [path])
    }

    /// Adds details to what was just found: a line of their own below it.
    pub fn details(mut self, details: impl Into<String>) -> Self {
        let details = details.into();
        let faults = self.faults.iter_mut();
        faults.for_each(|fault| fault.details.clone_from(&details));
        self
    }

    /// Turns everything into warnings, which do not refuse the object.
    pub fn as_warnings(mut self) -> Self {
        let faults = self.faults.iter_mut();
        faults.for_each(|fault| fault.level = Level::Warning);
        let inside = std::mem::take(&mut self.inside).into_iter();
        self.inside = inside
            .map(|(field, faults)| (field, faults.as_warnings()))
            .collect();
        self
    }

    /// Takes in what else is wrong.
    pub fn also(&mut self, others: Self) {
        self.count += others.count;
        self.depth = self.depth.max(others.depth);
        self.faults.extend(others.faults);
        self.inside.extend(others.inside);
    }

    /// Puts `field` in front of every path.
    pub fn at(self, field: &str) -> Self {
        self.below(field.to_owned())
    }

    /// Puts `field[index]` in front of every path.
    pub fn at_index(self, field: &str, index: usize) -> Self {
        if self.is_empty() {
            return self;
        }
        self.below(format!("{field}[{index}]"))
    }

    fn below(self, field: String) -> Self {
        if self.is_empty() {
            return self;
        }
        Self {
            faults: Vec::new(),
            count: self.count,
            depth: self.depth + 1,
            inside: vec![(field, self)],
        }
    }

    /// Puts `field` in front of the paths of all that was found so far, once more: the peer does
    /// so where it comes upon a later entry of a list, and users know its words. Many faults are
    /// left as they are, for their paths would grow with every entry.
    pub(super) fn wrap(&mut self, field: &str) {
        if self.count <= MOST_WRAPPED && self.depth <= MOST_WRAPS {
            *self = std::mem::take(self).at(field);
        }
    }

    /// Whether nothing is wrong and nothing is to be warned of.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What refuses the object.
    pub fn errors(&self) -> Self {
        let mut faults = Vec::new();
        self.collect(None, Level::Error, &mut faults);
        Self::of(faults)
    }

    /// What does not refuse it, one text for each.
    pub fn warnings(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.collect(None, Level::Warning, &mut faults);
        merged(&faults)
    }

    fn of(faults: Vec<Fault>) -> Self {
        Self {
            count: faults.len(),
            faults,
            ..Self::default()
        }
    }

    /// All faults of one level with whole paths; `around` is the path to `self`.
    fn collect(&self, around: Option<&str>, level: Level, all: &mut Vec<Fault>) {
        for fault in self.faults.iter().filter(|fault| fault.level == level) {
            let path = |path: &Text| match around {
                Some(around) => Text::from(join(around, path)),
                None => path.clone(),
            };
            let paths = fault.paths.iter().map(path).collect();
            let fault = fault.clone();
            all.push(Fault { paths, ..fault });
        }
        for (field, faults) in &self.inside {
            let path = around.map_or_else(|| field.clone(), |around| join(around, field));
            faults.collect(Some(&path), level, all);
        }
    }
}

/// A path is split at dots: empty parts vanish, and a part in brackets follows without a dot.
fn join(field: &str, path: &str) -> String {
    let mut joined = String::with_capacity(field.len() + path.len() + 1);
    let parts = field.split('.').chain(path.split('.'));
    for part in parts.filter(|part| !part.is_empty()) {
        let is_index = part.starts_with('[') && part.ends_with(']');
        if !joined.is_empty() && !is_index {
            joined.push('.');
        }
        joined.push_str(part);
    }
    joined
}

/// One text for each message and its details, with all its paths; sorted.
fn merged(faults: &[Fault]) -> Vec<String> {
    let mut merged: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for fault in faults {
        let paths = merged.entry((&fault.message, &fault.details)).or_default();
        paths.extend(fault.paths.iter().map(AsRef::<str>::as_ref));
    }
    let texts = merged.into_iter().map(|((message, details), paths)| {
        let paths: Vec<&str> = paths.into_iter().collect();
        let line = if details.is_empty() { "" } else { "\n" };
        format!("{message}: {}{line}{details}", paths.join(", "))
    });
    texts.collect()
}

impl fmt::Display for FieldErrors {
    /// Errors first, then warnings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults = Vec::new();
        self.collect(None, Level::Error, &mut faults);
        let mut texts = merged(&faults);
        texts.extend(self.warnings());
        f.write_str(&texts.join("\n"))
    }
}

impl FromIterator<FieldErrors> for FieldErrors {
    fn from_iter<I: IntoIterator<Item = FieldErrors>>(errors: I) -> Self {
        let mut all = Self::none();
        errors.into_iter().for_each(|errors| all.also(errors));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::FieldErrors;

    #[test]
    fn equal_messages_share_a_line_and_paths_are_sorted() {
        let mut errors = FieldErrors::missing(["b"]).at_index("list", 2).at("spec");
        errors.also(FieldErrors::missing(["a"]));
        errors.also(FieldErrors::invalid(3, "").details("because").at("map"));
        errors.also(FieldErrors::plain("not now").at("spec"));
        assert_eq!(
            errors.to_string(),
            "invalid value: 3: map\nbecause\nmissing field(s): a, spec.list[2].b\nnot now: "
        );
    }

    #[test]
    fn paths_are_split_at_dots() {
        for (field, path, expect) in [
            ("spec", "", "spec"),
            ("spec", "[1].tag", "spec[1].tag"),
            ("spec", "a..b.", "spec.a.b"),
            ("a", "[k.io/x]", "a.[k.io/x]"),
            ("a", "[k]", "a[k]"),
        ] {
            let errors = FieldErrors::missing([path]).at(field);
            assert_eq!(errors.to_string(), format!("missing field(s): {expect}"));
        }
    }

    #[test]
    fn many_faults_are_not_wrapped() {
        let mut few = FieldErrors::missing(["a"]);
        few.wrap("b[1]");
        assert_eq!(few.to_string(), "missing field(s): b[1].a");
        let mut many: FieldErrors = (0..100).map(|_| FieldErrors::missing(["a"])).collect();
        many.wrap("b[1]");
        assert_eq!(many.to_string(), "missing field(s): a");
    }

    #[test]
    fn warnings_do_not_refuse() {
        let errors = FieldErrors::new("be careful", ["x"]).as_warnings();
        assert!(errors.errors().is_empty());
        assert_eq!(errors.warnings(), ["be careful: x"]);
    }
}
