//! What a DomainMapping says of itself (contract/control-plane 3.8).

use std::sync::Arc;
use std::time::Duration;

use crds::condition::{READY, Truth, Verdicts, find};
use crds::domain_mapping::{DomainMapping, DomainMappingStatus};
use crds::networking::Ingress;
use crds::route::Addressable;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use super::certificate::Certificate;
use super::claim::{Claim, Denial};
use super::reference::{Target, Unresolved};
use super::referent::Kind;
use crate::gateway::BadHttpProtocol;

const DOMAIN_CLAIMED: &str = "DomainClaimed";
const REFERENCE_RESOLVED: &str = "ReferenceResolved";
const INGRESS_READY: &str = "IngressReady";
const CERTIFICATE_PROVISIONED: &str = "CertificateProvisioned";

/// Shortest pause between two looks at what no watch tells of.
const SOON: Duration = Duration::from_secs(1);
/// Longest pause between two such looks.
const LATE: Duration = Duration::from_secs(60);

/// Where people reach a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url(String);

/// How a pass ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Phase {
    pub(super) url: Url,
    pub(super) claim: Claim,
    pub(super) target: Result<Target, Unresolved>,
    pub(super) certificate: Certificate,
    pub(super) ingress: Outcome,
}

/// What became of the Ingress.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// As wanted; as the API server has it.
    Applied(Arc<Ingress>),
    /// Not touched: what is served now is served on.
    Blocked(Blocker),
    /// Taken away: the domain is another namespace's.
    Yielded,
}

/// What is in the way of the Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blocker {
    /// The domain isn't ours: another condition says so.
    Unclaimed,
    /// The reference leads nowhere: another condition says so.
    Unresolved,
    /// There can be no certificate: another condition says so.
    Uncertified,
    /// An Ingress of that name belongs to someone else.
    IngressTaken(String),
    /// An annotation of the mapping has no meaning.
    BadHttpProtocol(BadHttpProtocol),
    /// The API server refuses it, in its words.
    Refused(String),
}

// === impl Url ===

impl Url {
    /// The domain of `mapping` with that scheme.
    pub(super) fn new(mapping: &DomainMapping, scheme: &str) -> Self {
        Self(format!("{scheme}://{}", mapping.name_any()))
    }
}

// === impl Phase ===

impl Phase {
    /// What a person should know beyond the conditions.
    pub(super) fn trouble(&self, mapping: &DomainMapping) -> Option<String> {
        match (&self.claim, &self.target) {
            (Claim::Denied(denial), _) => Some(denial.trouble(mapping)),
            (Claim::Held | Claim::Free, Err(unresolved)) => Some(unresolved.trouble()),
            (Claim::Held | Claim::Free, Ok(_)) => None,
        }
    }

    /// When to look again. Watches tell of most changes; other kinds that a mapping may refer to
    /// are looked at, the more seldom the longer they have been as `status` says.
    pub(super) fn next(
        &self,
        mapping: &DomainMapping,
        status: &DomainMappingStatus,
        now: Timestamp,
    ) -> Action {
        match Kind::of(&mapping.spec.reference) {
            Kind::Polled => {
                let resolved = find(&status.conditions, REFERENCE_RESOLVED);
                let since = resolved.and_then(|it| it.last_transition_time.as_ref());
                let age = since.map_or(Duration::ZERO, |since| age(since.0, now));
                Action::requeue(age.clamp(SOON, LATE))
            }
            Kind::Service | Kind::Route | Kind::CoreService if self.may_pass() => {
                Action::requeue(LATE)
            }
            Kind::Service | Kind::Route | Kind::CoreService => Action::await_change(),
        }
    }

    /// Whether what is in the way may go without a change of ours: a name may become free, and what
    /// a webhook refuses now it may let pass later.
    fn may_pass(&self) -> bool {
        let blocker = match &self.ingress {
            Outcome::Blocked(blocker) => blocker,
            Outcome::Applied(_) | Outcome::Yielded => return false,
        };
        match blocker {
            Blocker::IngressTaken(_) | Blocker::Uncertified | Blocker::Refused(_) => true,
            Blocker::Unclaimed => matches!(self.claim, Claim::Denied(Denial::Refused(_))),
            Blocker::Unresolved | Blocker::BadHttpProtocol(_) => false,
        }
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// The status after a pass. What the pass did not come to keeps its old value.
pub(super) fn status(
    mapping: &DomainMapping,
    phase: &Phase,
    now: Timestamp,
) -> DomainMappingStatus {
    let old = mapping.status.clone().unwrap_or_default();
    let resolved = match &phase.target {
        Ok(_) => Truth::True,
        Err(unresolved) => unresolved.truth(),
    };
    let verdicts = Verdicts::of(vec![
        (DOMAIN_CLAIMED, phase.claim.truth()),
        (REFERENCE_RESOLVED, resolved),
        (
            INGRESS_READY,
            ingress_ready(&phase.ingress, carried(mapping, &old)),
        ),
        (CERTIFICATE_PROVISIONED, phase.certificate.truth()),
    ]);
    let Url(url) = &phase.url;
    DomainMappingStatus {
        observed_generation: mapping.meta().generation,
        conditions: verdicts.merge(&old.conditions, now),
        url: Some(url.clone()),
        address: Some(Addressable {
            url: Some(url.clone()),
        }),
    }
}

fn ingress_ready(outcome: &Outcome, carried: Truth) -> Truth {
    match outcome {
        Outcome::Applied(ingress) => truth_of(ingress),
        Outcome::Blocked(Blocker::Unclaimed | Blocker::Unresolved | Blocker::Uncertified) => {
            carried
        }
        Outcome::Blocked(Blocker::IngressTaken(name)) => Truth::no(
            "NotOwned",
            format!("There is an existing Ingress {name:?} that we do not own."),
        ),
        Outcome::Blocked(Blocker::BadHttpProtocol(error)) => {
            Truth::no("ErrorConfig", error.to_string())
        }
        Outcome::Blocked(Blocker::Refused(why)) => Truth::no("CreationFailed", why),
        Outcome::Yielded => not_configured(),
    }
}

/// What was known of the Ingress before this pass; of a new generation nothing is.
fn carried(mapping: &DomainMapping, old: &DomainMappingStatus) -> Truth {
    let known = find(&old.conditions, INGRESS_READY);
    if known.is_some() && old.observed_generation == mapping.meta().generation {
        Truth::of(known)
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
    match find(&status.conditions, READY) {
        None => not_configured(),
        ready => match Truth::of(ready) {
            Truth::TrueBecause(..) => Truth::True,
            other => other,
        },
    }
}

fn not_configured() -> Truth {
    Truth::unknown(
        "IngressNotConfigured",
        "Ingress has not yet been reconciled.",
    )
}
