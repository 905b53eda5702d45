//! The status of an Ingress (contract/control-plane 3.9, contract/data-plane 4.2).

use crds::condition::{Truth, Verdicts, is_ready};
use crds::networking::{Ingress, IngressStatus, LoadBalancerIngress, LoadBalancerStatus};
use jiff::Timestamp;

use super::ask::Answer;
use super::plan::Gateways;

/// Condition: the spec can be served. Ours always can: what can't is refused at admission.
const NETWORK_CONFIGURED: &str = "NetworkConfigured";
/// Condition: every activator serves this very spec.
const LOAD_BALANCER_READY: &str = "LoadBalancerReady";

/// Whether the status says that the newest spec is live.
pub(super) fn is_live(ingress: &Ingress) -> bool {
    let status = ingress.status.as_ref();
    let generation = ingress.metadata.generation;
    status.is_some_and(|s| is_ready(&s.conditions, s.observed_generation, generation))
}

/// The status to store. Until a new spec is live the gateways stay those of the spec before.
pub(super) fn status(
    ingress: &Ingress,
    answer: Answer,
    gateways: &Gateways,
    now: Timestamp,
) -> IngressStatus {
    let old = ingress.status.clone().unwrap_or_default();
    let (ready, public, private) = match answer {
        Answer::Live => (
            Truth::True,
            reached_by(&gateways.public),
            reached_by(&gateways.private),
        ),
        Answer::NotYet => (
            Truth::unknown("Uninitialized", "Waiting for load balancer to be ready"),
            old.public_load_balancer,
            old.private_load_balancer,
        ),
    };
    let verdicts = Verdicts::of(vec![
        (NETWORK_CONFIGURED, Truth::True),
        (LOAD_BALANCER_READY, ready),
    ]);
    IngressStatus {
        observed_generation: ingress.metadata.generation,
        conditions: verdicts.merge(&old.conditions, now),
        public_load_balancer: public,
        private_load_balancer: private,
    }
}

fn reached_by(name: &str) -> Option<LoadBalancerStatus> {
    let domain_internal = Some(name.to_owned());
    let gateway = LoadBalancerIngress {
        domain_internal,
        ..LoadBalancerIngress::default()
    };
    Some(LoadBalancerStatus {
        ingress: vec![gateway],
    })
}
