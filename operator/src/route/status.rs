//! What a Route says of itself (contract/control-plane 3.7).

use std::sync::Arc;
use std::time::Duration;

use crds::condition::{READY, Truth, Verdicts, find};
use crds::networking::Ingress;
use crds::route::{Addressable, Route, RouteStatus, TrafficTarget};
use jiff::Timestamp;
use kube::Resource;
use kube::runtime::controller::Action;

use super::site::{HostError, Site};
use super::target::BadTarget;
use super::tls;
use crate::gateway::BadHttpProtocol;

const ALL_TRAFFIC_ASSIGNED: &str = "AllTrafficAssigned";
const INGRESS_READY: &str = "IngressReady";
const CERTIFICATE_PROVISIONED: &str = "CertificateProvisioned";

/// How long a name that is taken is left alone.
const TAKEN: Duration = Duration::from_secs(30);

/// How far a pass came.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// The templates of the system make no host for a name of the Route: nothing was touched.
    Unnameable(HostError),
    /// An entry of the spec can't get traffic: no child was touched, what was served still is.
    Frozen(Own, BadTarget),
    /// The traffic is known, and something is in the way of a child.
    Blocked(Own, Blocker),
    /// All children are as they should be.
    Routed(Routed),
}

/// What is known of a Route once its names are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Own {
    /// The Route's own hosts.
    pub(super) site: Site,
    /// What `CertificateProvisioned` says.
    pub(super) certificate: Truth,
}

/// A Route whose children are as they should be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Routed {
    pub(super) own: Own,
    pub(super) traffic: Vec<TrafficTarget>,
    pub(super) ingress: Arc<Ingress>,
    /// A rollout, if one is under way.
    pub(super) rollout: Option<Rolling>,
}

/// A gradual rollout under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rolling {
    /// When the next step is due, nanoseconds since the epoch; unknown while the gateway has not
    /// answered with the first.
    pub(super) next_step: Option<i64>,
}

/// What is in the way of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blocker {
    /// A core Service of that name belongs to someone else.
    ServiceTaken(String),
    /// Endpoints of that name belong to someone else.
    EndpointsTaken(String),
    /// An Ingress of that name belongs to someone else.
    IngressTaken(String),
    /// A Certificate of that name belongs to someone else.
    CertificateTaken(String),
    /// The API server refuses the Certificate of that name, in its words.
    CertificateRefused(String, String),
    /// An annotation of the Route has no meaning.
    BadHttpProtocol(BadHttpProtocol),
    /// The API server refuses a child, in its words.
    Refused(String),
}

impl Phase {
    /// When to look again: at the next step of a rollout; a name that is taken may become free
    /// without a change of ours.
    pub(super) fn next(&self, now: Timestamp) -> Action {
        match self {
            Self::Unnameable(_) | Self::Frozen(..) => Action::await_change(),
            Self::Blocked(_, blocker) => blocker.next(),
            Self::Routed(routed) => {
                let step = routed.rollout.and_then(|rolling| rolling.next_step);
                step.map_or_else(Action::await_change, |at| Action::requeue(until(at, now)))
            }
        }
    }
}

/// Time from `now` to `at`, nanoseconds since the epoch.
fn until(at: i64, now: Timestamp) -> Duration {
    let left = i128::from(at) - now.as_nanosecond();
    Duration::from_nanos(u64::try_from(left).unwrap_or(0))
}

/// The status after a pass. What the pass did not come to keeps its old value.
pub(super) fn status(route: &Route, phase: &Phase, now: Timestamp) -> RouteStatus {
    let mut status = route.status.clone().unwrap_or_default();
    let verdicts = Verdicts::of(vec![
        (ALL_TRAFFIC_ASSIGNED, traffic_assigned(phase)),
        (INGRESS_READY, ingress_ready(phase, carried(route, &status))),
        (
            CERTIFICATE_PROVISIONED,
            certificate_provisioned(phase, &status),
        ),
    ]);
    match phase {
        Phase::Unnameable(_) => {}
        Phase::Frozen(own, _) => status.url = Some(own.site.url()),
        Phase::Blocked(own, _) => {
            status.url = Some(own.site.url());
            status.address = address(&own.site);
        }
        Phase::Routed(routed) => {
            status.url = Some(routed.own.site.url());
            status.address = address(&routed.own.site);
            status.traffic = routed.traffic.clone();
        }
    }
    status.conditions = verdicts.merge(&status.conditions, now);
    status.observed_generation = route.meta().generation;
    status
}

fn address(site: &Site) -> Option<Addressable> {
    Some(Addressable {
        url: Some(site.local_url()),
    })
}

fn traffic_assigned(phase: &Phase) -> Truth {
    match phase {
        Phase::Unnameable(error) => Truth::no("ErrorConfig", error.to_string()),
        Phase::Frozen(_, bad) => bad.truth(),
        Phase::Blocked(..) | Phase::Routed(_) => Truth::True,
    }
}

fn ingress_ready(phase: &Phase, carried: Truth) -> Truth {
    match phase {
        Phase::Unnameable(_) | Phase::Frozen(..) => carried,
        Phase::Blocked(_, blocker) => blocker.ingress_ready(carried),
        Phase::Routed(routed) => {
            let truth = truth_of(&routed.ingress);
            if routed.rollout.is_some() && !truth.is_false() {
                return Truth::unknown(
                    "RolloutInProgress",
                    "A gradual rollout of the latest revision(s) is in progress.",
                );
            }
            truth
        }
    }
}

/// What was known of the Ingress before this pass; of a new generation nothing is.
fn carried(route: &Route, old: &RouteStatus) -> Truth {
    if old.observed_generation == route.meta().generation {
        Truth::of(find(&old.conditions, INGRESS_READY))
    } else {
        not_configured()
    }
}

fn truth_of(ingress: &Ingress) -> Truth {
    let Some(status) = &ingress.status else {
        return not_configured();
    };
    if status.observed_generation != ingress.meta().generation {
        return not_configured();
    }
    match Truth::of(find(&status.conditions, READY)) {
        Truth::TrueBecause(..) => Truth::True,
        other => other,
    }
}

/// Whether every gateway answers with the Ingress as it is.
pub(super) fn is_ingress_ready(ingress: &Ingress) -> bool {
    truth_of(ingress).is_true()
}

fn not_configured() -> Truth {
    Truth::unknown(
        "IngressNotConfigured",
        "Ingress has not yet been reconciled.",
    )
}

/// Where no name is known, what was known before.
fn certificate_provisioned(phase: &Phase, old: &RouteStatus) -> Truth {
    match phase {
        Phase::Unnameable(_) => Truth::of(find(&old.conditions, CERTIFICATE_PROVISIONED)),
        Phase::Blocked(_, Blocker::CertificateRefused(name, why)) => tls::failed(name, why),
        Phase::Frozen(own, _) | Phase::Blocked(own, _) => own.certificate.clone(),
        Phase::Routed(routed) => routed.own.certificate.clone(),
    }
}

impl Blocker {
    fn next(&self) -> Action {
        match self {
            Self::ServiceTaken(_)
            | Self::EndpointsTaken(_)
            | Self::IngressTaken(_)
            | Self::CertificateTaken(_) => Action::requeue(TAKEN),
            Self::BadHttpProtocol(_) | Self::CertificateRefused(..) | Self::Refused(_) => {
                Action::await_change()
            }
        }
    }

    /// What `IngressReady` says; `carried` is what it said before.
    fn ingress_ready(&self, carried: Truth) -> Truth {
        let not_owned = |kind: &str, name: &str| {
            let message = format!("There is an existing {kind} {name:?} that we do not own.");
            Truth::no("NotOwned", message)
        };
        match self {
            Self::ServiceTaken(name) => not_owned("placeholder Service", name),
            Self::EndpointsTaken(name) => not_owned("placeholder Endpoint", name),
            Self::IngressTaken(name) => not_owned("Ingress", name),
            // Another condition tells.
            Self::CertificateTaken(_) | Self::CertificateRefused(..) => carried,
            Self::BadHttpProtocol(error) => Truth::no("ErrorConfig", error.to_string()),
            Self::Refused(why) => Truth::no("CreationFailed", why),
        }
    }
}
