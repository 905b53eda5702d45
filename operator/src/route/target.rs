//! Targets: the Revisions that a Route's spec means (contract/control-plane 3.7, 4.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::condition::{Truth, is_failed, is_ready};
use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use crds::route::{Route, TrafficTarget};
use kube::{Resource, ResourceExt};
use runtime::kube::owner::controller;

/// Configurations and Revisions that a Route may refer to, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Backends {
    pub(super) configurations: BTreeMap<String, Arc<Configuration>>,
    pub(super) revisions: BTreeMap<String, Arc<Revision>>,
}

/// One entry of the spec with the Revision that it means now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// Empty for the Route itself.
    pub(super) tag: String,
    /// The Configuration whose latest ready Revision is meant, if one is.
    pub(super) configuration: Option<String>,
    pub(super) revision: Arc<Revision>,
    /// Share of the Route's own traffic, 0 to 100.
    pub(super) percent: i64,
}

/// Why an entry of the spec can't get traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadTarget {
    /// No Revision of the Configuration has been ready so far.
    ConfigurationWaiting(String),
    /// No Revision of the Configuration has been ready, and the newest has failed.
    ConfigurationFailed(String),
    /// There is no such Configuration.
    ConfigurationMissing(String),
    /// The Revision is not ready yet.
    RevisionWaiting(String),
    /// The Revision has failed.
    RevisionFailed(String),
    /// There is no such Revision.
    RevisionMissing(String),
    /// The Revision belongs to another Service (or to none) than the Route.
    RevisionNotOwned {
        revision: String,
        theirs: Option<String>,
        ours: String,
    },
}

/// The targets of a Route, in the order of its spec.
///
/// # Errors
/// The first entry that is certain not to work, else the first that does not work yet.
pub(super) fn targets(route: &Route, backends: &Backends) -> Result<Vec<Target>, BadTarget> {
    let mut targets = Vec::new();
    let mut bad: Option<BadTarget> = None;
    for entry in &route.spec.traffic {
        match target(route, entry, backends) {
            Ok(target) => targets.push(target),
            Err(new)
                if bad
                    .as_ref()
                    .is_none_or(|old| old.is_waiting() && !new.is_waiting()) =>
            {
                bad = Some(new);
            }
            Err(_) => {}
        }
    }
    bad.map_or(Ok(targets), Err)
}

fn target(route: &Route, entry: &TrafficTarget, backends: &Backends) -> Result<Target, BadTarget> {
    let named = entry
        .revision_name
        .as_deref()
        .filter(|name| !name.is_empty());
    let (configuration, revision) = match (named, entry.configuration_name.as_deref()) {
        (Some(name), _) => (None, named_revision(route, name, backends)?),
        (None, configuration) => {
            let configuration = configuration.unwrap_or_default();
            (
                Some(configuration.to_owned()),
                latest_revision(configuration, backends)?,
            )
        }
    };
    Ok(Target {
        tag: entry.tag.clone().unwrap_or_default(),
        configuration,
        revision: Arc::clone(revision),
        percent: entry.percent.unwrap_or_default(),
    })
}

fn latest_revision<'a>(name: &str, backends: &'a Backends) -> Result<&'a Arc<Revision>, BadTarget> {
    let Some(configuration) = backends.configurations.get(name) else {
        return Err(BadTarget::ConfigurationMissing(name.to_owned()));
    };
    let status = configuration.status.as_ref();
    let latest = status.and_then(|it| it.latest_ready_revision_name.as_deref());
    if let Some(latest) = latest {
        let revision = backends.revisions.get(latest);
        return revision.ok_or_else(|| BadTarget::RevisionMissing(latest.to_owned()));
    }
    let generation = configuration.meta().generation;
    let failed =
        status.is_some_and(|it| is_failed(&it.conditions, it.observed_generation, generation));
    Err(match failed {
        true => BadTarget::ConfigurationFailed(name.to_owned()),
        false => BadTarget::ConfigurationWaiting(name.to_owned()),
    })
}

fn named_revision<'a>(
    route: &Route,
    name: &str,
    backends: &'a Backends,
) -> Result<&'a Arc<Revision>, BadTarget> {
    let Some(revision) = backends.revisions.get(name) else {
        return Err(BadTarget::RevisionMissing(name.to_owned()));
    };
    if let Some(ours) = service_of(route) {
        let theirs = revision.labels().get(serving::SERVICE).cloned();
        if theirs.as_deref() != Some(ours) {
            let (revision, ours) = (name.to_owned(), ours.to_owned());
            return Err(BadTarget::RevisionNotOwned {
                revision,
                theirs,
                ours,
            });
        }
    }
    let generation = revision.meta().generation;
    let is = |check: fn(&[_], Option<i64>, Option<i64>) -> bool| {
        let status = revision.status.as_ref();
        status.is_some_and(|it| check(&it.conditions, it.observed_generation, generation))
    };
    if is(is_failed) {
        return Err(BadTarget::RevisionFailed(name.to_owned()));
    }
    if !is(is_ready) {
        return Err(BadTarget::RevisionWaiting(name.to_owned()));
    }
    Ok(revision)
}

/// The Service that owns the Route, if one does.
fn service_of(route: &Route) -> Option<&str> {
    let owner = controller(route.meta())?;
    (owner.kind == "Service").then_some(owner.name.as_str())
}

impl BadTarget {
    /// Whether it may work out without anybody's help.
    fn is_waiting(&self) -> bool {
        match self {
            Self::ConfigurationWaiting(_) | Self::RevisionWaiting(_) => true,
            Self::ConfigurationFailed(_)
            | Self::ConfigurationMissing(_)
            | Self::RevisionFailed(_)
            | Self::RevisionMissing(_)
            | Self::RevisionNotOwned { .. } => false,
        }
    }

    /// What `AllTrafficAssigned` says.
    pub(super) fn truth(&self) -> Truth {
        let (reason, message) = match self {
            Self::ConfigurationWaiting(name) => (
                "RevisionMissing",
                format!("Configuration {name:?} is waiting for a Revision to become ready."),
            ),
            Self::ConfigurationFailed(name) => (
                "RevisionMissing",
                format!("Configuration {name:?} does not have any ready Revision."),
            ),
            Self::ConfigurationMissing(name) => (
                "ConfigurationMissing",
                format!("Configuration {name:?} referenced in traffic not found."),
            ),
            Self::RevisionWaiting(name) => (
                "RevisionMissing",
                format!("Revision {name:?} is not yet ready."),
            ),
            Self::RevisionFailed(name) => (
                "RevisionMissing",
                format!("Revision {name:?} failed to become ready."),
            ),
            Self::RevisionMissing(name) => (
                "RevisionMissing",
                format!("Revision {name:?} referenced in traffic not found."),
            ),
            Self::RevisionNotOwned {
                revision,
                theirs: Some(theirs),
                ours,
            } => (
                "RevisionNotOwned",
                format!(
                    "Revision {revision:?} belongs to Service {theirs:?}, not Service {ours:?}."
                ),
            ),
            Self::RevisionNotOwned {
                revision,
                theirs: None,
                ours,
            } => (
                "RevisionNotOwned",
                format!("Revision {revision:?} does not belong to Service {ours:?}."),
            ),
        };
        match self.is_waiting() {
            true => Truth::unknown(reason, message),
            false => Truth::no(reason, message),
        }
    }
}
