//! What the front door knows of a revision: its name, and the rules of its requests, read from the
//! Revision object once per change (contract/data-plane 2.2, 2.4).

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crds::name::{fermata, serving};
use crds::revision::{AppProtocol, Revision};
use kube::ResourceExt;
use net::timeout::Limits;

/// Longest time for a request where a Revision names none (contract/control-plane 1.5).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// Name of a revision. Cloning it is cheap; it shows as `namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionId {
    text: Arc<str>,
    slash: usize,
}

/// What holds for every request of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// UID of the object: another one of the same name is another revision.
    pub uid: String,
    /// Service that the revision belongs to; empty when it belongs to none.
    pub service: String,
    /// Configuration that made the revision.
    pub configuration: String,
    /// What the app speaks, as the name of its port tells.
    pub protocol: AppProtocol,
    /// Requests that one pod may have at once; None is no limit.
    pub limit: Option<NonZeroU32>,
    /// How long a request may take; waiting for a pod counts.
    pub limits: Limits,
    /// Whether answers tell where a cold start's time went.
    pub server_timing: bool,
}

// === impl RevisionId ===

impl RevisionId {
    /// The revision `name` of `namespace`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            text: format!("{namespace}/{name}").into(),
            slash: namespace.len(),
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.text.get(..self.slash).unwrap_or_default()
    }

    /// Its name inside the namespace.
    pub fn name(&self) -> &str {
        self.text.get(self.slash + 1..).unwrap_or_default()
    }

    /// The revision of an object that belongs to one: a Revision itself.
    pub fn of(revision: &Revision) -> Option<Self> {
        Some(Self::new(
            &revision.namespace()?,
            revision.metadata.name.as_deref()?,
        ))
    }
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === impl Settings ===

impl Settings {
    /// Reads a Revision. Values out of range count as absent: the webhook refuses them.
    pub fn of(revision: &Revision) -> Self {
        let label = |key: &str| revision.labels().get(key).cloned().unwrap_or_default();
        let spec = &revision.spec;
        Self {
            uid: revision.uid().unwrap_or_default(),
            service: label(serving::SERVICE),
            configuration: label(serving::CONFIGURATION),
            protocol: spec.protocol(),
            limit: spec
                .container_concurrency
                .and_then(|limit| u32::try_from(limit).ok())
                .and_then(NonZeroU32::new),
            limits: Limits {
                total: seconds(spec.timeout_seconds).or(Some(DEFAULT_TIMEOUT)),
                response_start: seconds(spec.response_start_timeout_seconds),
                idle: seconds(spec.idle_timeout_seconds),
            },
            server_timing: revision
                .annotations()
                .get(fermata::SERVER_TIMING)
                .is_some_and(|value| value == "true"),
        }
    }
}

fn seconds(value: Option<i64>) -> Option<Duration> {
    value
        .and_then(|value| u64::try_from(value).ok())
        .filter(|value| *value > 0)
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use crds::revision::{AppProtocol, Revision, RevisionSpec};

    use net::timeout::Limits;

    use super::{RevisionId, Settings};

    #[test]
    fn id_takes_its_parts_apart() {
        let id = RevisionId::new("shop", "cart-00001");
        assert_eq!((id.namespace(), id.name()), ("shop", "cart-00001"));
        assert_eq!(id.to_string(), "shop/cart-00001");
    }

    #[test]
    fn settings_come_from_labels_and_spec() {
        let mut revision = Revision::new(
            "cart-00001",
            RevisionSpec {
                container_concurrency: Some(3),
                timeout_seconds: Some(7),
                idle_timeout_seconds: Some(0),
                response_start_timeout_seconds: Some(2),
                ..RevisionSpec::default()
            },
        );
        revision.metadata.namespace = Some("shop".into());
        revision.metadata.uid = Some("uid-1".into());
        revision.metadata.labels =
            Some([("serving.knative.dev/service".into(), "cart".into())].into());
        revision.metadata.annotations =
            Some([("fermata.dev/server-timing".into(), "true".into())].into());
        assert_eq!(
            RevisionId::of(&revision),
            Some(RevisionId::new("shop", "cart-00001"))
        );
        assert_eq!(
            Settings::of(&revision),
            Settings {
                uid: "uid-1".into(),
                service: "cart".into(),
                configuration: String::new(),
                protocol: AppProtocol::Http1,
                limit: NonZeroU32::new(3),
                limits: Limits {
                    total: Some(Duration::from_secs(7)),
                    response_start: Some(Duration::from_secs(2)),
                    idle: None,
                },
                server_timing: true,
            }
        );
    }

    #[test]
    fn absent_values_take_the_defaults() {
        let settings = Settings::of(&Revision::new("cart-00001", RevisionSpec::default()));
        assert_eq!(settings.limit, None);
        assert_eq!(settings.limits.total, Some(Duration::from_secs(300)));
    }
}
