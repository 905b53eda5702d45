//! What a Service says of itself (contract/control-plane 3.1).

use std::sync::Arc;
use std::time::Duration;

use crds::condition::{Condition, READY, Truth, Verdicts, find};
use crds::configuration::Configuration;
use crds::route::{Route, TrafficTarget};
use crds::service::{Service, ServiceStatus};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use super::migration::is_migrated;

const CONFIGURATIONS_READY: &str = "ConfigurationsReady";
const ROUTES_READY: &str = "RoutesReady";
/// Condition, there only while it is True: a revision that gets traffic could not start from zero
/// the last time. Never False and never Unknown: Argo CD counts every condition.
const ACTIVATION_FAILED: &str = "ActivationFailed";
/// How long until something that the API server refused is tried again: what refused it (a quota,
/// another webhook) may change without telling us.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);
/// How long a name that is taken is left alone.
const TAKEN: Duration = Duration::from_secs(30);

/// How far a pass came.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// The Configuration's name belongs to someone else.
    ConfigurationTaken,
    /// The API server refuses the Configuration, in its words.
    ConfigurationRefused(String),
    /// The template names its Revision and the Configuration has not looked at it yet: whether
    /// the name is free is not known, so the Route stays as it is.
    ConfigurationBehind(Arc<Configuration>),
    /// The template names a Revision that exists and is another one.
    RevisionNameTaken(Arc<Configuration>, String),
    /// The Route's name belongs to someone else.
    RouteTaken(Arc<Configuration>),
    /// The API server refuses the Route, in its words.
    RouteRefused(Arc<Configuration>, String),
    /// Both children are there.
    Routed(Arc<Configuration>, Arc<Route>),
}

/// The status after a pass. What the pass did not come to keeps its old value. `failed` tells of a
/// revision why its last activation failed: reason, message.
pub(super) fn status(
    service: &Service,
    phase: &Phase,
    failed: impl Fn(&str) -> Option<(String, String)>,
    now: Timestamp,
) -> ServiceStatus {
    let mut status = service.status.clone().unwrap_or_default();
    let carried = Truth::of(find(&status.conditions, ROUTES_READY));
    let configurations = configurations_ready(&service.name_any(), phase);
    let routes = routes_ready(&service.name_any(), phase, carried);

    let current = |configuration: &&Arc<Configuration>| !is_behind(configuration);
    if let Some(seen) = phase
        .configuration()
        .filter(current)
        .and_then(|it| it.status.as_ref())
    {
        status.latest_created_revision_name = seen.latest_created_revision_name.clone();
        status.latest_ready_revision_name = seen.latest_ready_revision_name.clone();
    }
    if let Phase::Routed(_, route) = phase
        && !is_route_behind(route)
        && let Some(seen) = &route.status
    {
        status.url = seen.url.clone();
        status.address = seen.address.clone();
        status.traffic = seen.traffic.clone();
    }
    let verdicts = Verdicts::of(vec![
        (CONFIGURATIONS_READY, configurations),
        (ROUTES_READY, routes),
    ])
    .with_alarm(
        ACTIVATION_FAILED,
        failed_activation(&status.traffic, failed),
    );
    status.conditions = verdicts.merge(&status.conditions, now);
    status.observed_generation = service.meta().generation;
    status
}

/// The first revision with traffic whose last activation has failed.
fn failed_activation(
    traffic: &[TrafficTarget],
    failed: impl Fn(&str) -> Option<(String, String)>,
) -> Option<(String, String)> {
    let mut names = traffic.iter().filter_map(|it| it.revision_name.as_deref());
    names.find_map(|name| {
        let (reason, message) = failed(name)?;
        Some((reason, format!("Revision {name:?} can't start: {message}")))
    })
}

/// What people should know when the status goes from `old` to `new`: an activation that has failed,
/// where none had, or another one, or for another reason.
pub(super) fn news(old: &[Condition], new: &[Condition]) -> Option<String> {
    let of = |conditions| find(conditions, ACTIVATION_FAILED);
    let failed = of(new)?;
    let known = of(old).is_some_and(|old| old.reason == failed.reason);
    (!known).then(|| format!("{}: {}", failed.reason, failed.message))
}

impl Phase {
    /// When to look again. A name that is taken may become free without a change of ours.
    pub(super) fn next(&self) -> Action {
        match self {
            Self::ConfigurationTaken | Self::RouteTaken(_) | Self::RevisionNameTaken(..) => {
                Action::requeue(TAKEN)
            }
            Self::ConfigurationRefused(_) | Self::RouteRefused(..) => {
                Action::requeue(REFUSED_AGAIN)
            }
            Self::ConfigurationBehind(_) | Self::Routed(..) => Action::await_change(),
        }
    }

    fn configuration(&self) -> Option<&Arc<Configuration>> {
        match self {
            Self::ConfigurationTaken | Self::ConfigurationRefused(_) => None,
            Self::ConfigurationBehind(configuration)
            | Self::RevisionNameTaken(configuration, _)
            | Self::RouteTaken(configuration)
            | Self::RouteRefused(configuration, _)
            | Self::Routed(configuration, _) => Some(configuration),
        }
    }
}

fn configurations_ready(name: &str, phase: &Phase) -> Truth {
    match phase {
        Phase::ConfigurationTaken => not_owned("Configuration", name),
        Phase::ConfigurationRefused(why) => Truth::no("CreationFailed", why),
        Phase::ConfigurationBehind(configuration)
        | Phase::RevisionNameTaken(configuration, _)
        | Phase::RouteTaken(configuration)
        | Phase::RouteRefused(configuration, _)
        | Phase::Routed(configuration, _) => {
            if is_behind(configuration) {
                return out_of_date("Configuration");
            }
            let conditions = configuration
                .status
                .as_ref()
                .map(|status| &status.conditions[..]);
            ready_of(conditions.unwrap_or_default())
        }
    }
}

fn routes_ready(name: &str, phase: &Phase, carried: Truth) -> Truth {
    match phase {
        Phase::ConfigurationTaken
        | Phase::ConfigurationRefused(_)
        | Phase::ConfigurationBehind(_) => carried,
        Phase::RevisionNameTaken(_, revision) => Truth::no(
            "RevisionNameTaken",
            format!(
                "The revision name {revision:?} is taken by a conflicting Revision, so traffic \
                 will not be migrated"
            ),
        ),
        Phase::RouteTaken(_) => not_owned("Route", name),
        Phase::RouteRefused(_, why) => Truth::no("CreationFailed", why),
        Phase::Routed(_, route) if is_route_behind(route) => out_of_date("Route"),
        Phase::Routed(configuration, route) => {
            let conditions = route.status.as_ref().map(|status| &status.conditions[..]);
            let ready = ready_of(conditions.unwrap_or_default());
            if ready.is_true() && !is_migrated(route, configuration) {
                return Truth::unknown(
                    "TrafficNotMigrated",
                    "Traffic is not yet migrated to the latest revision.",
                );
            }
            ready
        }
    }
}

/// Ready of a child; a reason on a True one is of no interest here.
fn ready_of(conditions: &[Condition]) -> Truth {
    match Truth::of(find(conditions, READY)) {
        Truth::TrueBecause(..) => Truth::True,
        other => other,
    }
}

/// Whether the Configuration's status speaks of an older spec.
pub(super) fn is_behind(configuration: &Configuration) -> bool {
    let observed = configuration
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    observed != configuration.meta().generation
}

fn is_route_behind(route: &Route) -> bool {
    let observed = route
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    observed != route.meta().generation
}

fn not_owned(kind: &str, name: &str) -> Truth {
    Truth::no(
        "NotOwned",
        format!("There is an existing {kind} {name:?} that we do not own."),
    )
}

fn out_of_date(kind: &str) -> Truth {
    let message =
        format!("The {kind} is still working to reflect the latest desired specification.");
    Truth::unknown("OutOfDate", message)
}
