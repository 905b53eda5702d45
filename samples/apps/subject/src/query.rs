//! The query of a request: `name=value` pairs, taken as they are written.

use std::time::Duration;

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(600);

/// The query of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn new(text: Option<&str>) -> Self {
        Self(text.unwrap_or_default().to_owned())
    }

    /// All values of `name`, in their order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter_map(move |(key, value)| (key == name).then_some(value))
    }

    /// The number that `name` has; nothing if it is none.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.all(name).next()?.parse().ok()
    }

    /// The time that `name` has in milliseconds, and no more than ten minutes.
    pub(crate) fn pause(&self, name: &str) -> Duration {
        let millis = self.number(name).unwrap_or_default();
        Duration::from_millis(millis as u64).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Query};
    use std::time::Duration;

    #[test]
    fn values_are_found_by_name() {
        let query = Query::new(Some(
            "read=/a&sleep=250&read=/b&every=soon&delay=99999999999",
        ));
        assert_eq!(query.all("read").collect::<Vec<_>>(), ["/a", "/b"]);
        assert_eq!(query.pause("sleep"), Duration::from_millis(250));
        assert_eq!(query.pause("every"), Duration::ZERO);
        assert_eq!(query.pause("delay"), LONGEST);
        assert_eq!(query.number("count"), None);
    }
}
