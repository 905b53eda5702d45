//! Names of revisions, as keys.

use std::fmt;
use std::str::FromStr;

use kube::{Resource, ResourceExt};

/// A revision. Its PodAutoscaler, ServerlessService and Metric have the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionId {
    /// Namespace of the revision.
    pub namespace: String,
    /// Name of the revision.
    pub name: String,
}

/// The text is not `NAMESPACE/REVISION`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected NAMESPACE/REVISION, found {0:?}")]
pub struct NotAnId(String);

impl RevisionId {
    /// The revision `name` of `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The revision that an object with the revision's own name belongs to. Nothing for objects
    /// that the API server has not named.
    pub fn of<K: Resource>(object: &K) -> Option<Self> {
        Some(Self {
            namespace: object.namespace()?,
            name: object.meta().name.clone()?,
        })
    }
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for RevisionId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        match text.split_once('/') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(NotAnId(text.to_owned())),
        }
    }
}

/// Whether Kubernetes could have an object of that name; so it can stand in a path, too.
fn is_name(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
    !text.is_empty() && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::RevisionId;

    #[test]
    fn text_and_id_round_trip() {
        let id: RevisionId = "default/hello-00001".parse().unwrap();
        assert_eq!(id, RevisionId::new("default", "hello-00001"));
        assert_eq!(id.to_string(), "default/hello-00001");
        for wrong in ["", "hello", "/hello", "default/", "a/b/c", "a/b?c", "a/ü"] {
            assert!(wrong.parse::<RevisionId>().is_err(), "{wrong}");
        }
    }
}
