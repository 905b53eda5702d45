//! The status of a ServerlessService (contract/control-plane 3.5).

use crds::condition::{Truth, Verdicts};
use crds::networking::{ServerlessService, ServerlessServiceStatus};
use jiff::Timestamp;
use kube::ResourceExt;

use super::apply::Step;
use super::backends::Backends;
use super::gather::{Taken, private_name};

/// Condition: the revision has a ready pod.
const ENDPOINTS_POPULATED: &str = "EndpointsPopulated";
/// Condition, for information: requests meet an activator. The autoscaler reads from its time for
/// how long.
const ACTIVATOR_ENDPOINTS_POPULATED: &str = "ActivatorEndpointsPopulated";
const BACKED_BY_ACTIVATOR: &str = "Revision is backed by Activator";
const NOT_READY: &str = "K8s Service is not ready";

/// How the writes went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All children are as wanted.
    Applied,
    /// One of them could not be written.
    Failed(Step),
    /// Someone else has a name; nothing was written.
    NotOwned(Taken),
}

/// The status to store. Conditions that did not change keep their time.
pub(super) fn status(
    service: &ServerlessService,
    backends: &Backends,
    outcome: &Outcome,
    now: Timestamp,
) -> ServerlessServiceStatus {
    let old = service.status.clone().unwrap_or_default();
    let (service_name, private_service_name) = match outcome {
        Outcome::Applied => (Some(service.name_any()), Some(private_name(service))),
        Outcome::Failed(_) | Outcome::NotOwned(_) => (old.service_name, old.private_service_name),
    };
    let verdicts = Verdicts::of(vec![(ENDPOINTS_POPULATED, populated(backends, outcome))])
        .with_info(ACTIVATOR_ENDPOINTS_POPULATED, buffered(backends));
    ServerlessServiceStatus {
        observed_generation: service.metadata.generation,
        conditions: verdicts.merge(&old.conditions, now),
        service_name,
        private_service_name,
    }
}

fn populated(backends: &Backends, outcome: &Outcome) -> Truth {
    let reason = match outcome {
        Outcome::NotOwned(Taken { kind, name }) => {
            let message = format!("Resource {name} of type {kind} is not owned by SKS");
            return Truth::no("NotOwned", message);
        }
        Outcome::Applied if backends.has_pods => return Truth::True,
        Outcome::Applied => "NoHealthyBackends",
        Outcome::Failed(Step::CreatePrivate) => "CreatingPrivateService",
        Outcome::Failed(Step::UpdatePrivate) => "UpdatingPrivateService",
        Outcome::Failed(Step::Public) => "CreatingPublicService",
        Outcome::Failed(Step::Endpoints) => "CreatingPublicEndpoints",
    };
    Truth::unknown(reason, NOT_READY)
}

fn buffered(backends: &Backends) -> Truth {
    let (reason, message) = (
        ACTIVATOR_ENDPOINTS_POPULATED.to_owned(),
        BACKED_BY_ACTIVATOR.to_owned(),
    );
    if backends.is_buffered() {
        Truth::TrueBecause(reason, message)
    } else {
        Truth::False(reason, message)
    }
}
