//! What keeps pods from running, as Kubernetes tells it (contract/control-plane 3.3).

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use net::contract::name::QUEUE_PROXY;

/// Why a pod does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No node takes it.
    Unschedulable {
        /// The scheduler's word.
        reason: String,
        /// The scheduler's sentence.
        message: String,
    },
    /// A user container ran and ended.
    Exited {
        /// Its exit code.
        code: i32,
        /// Its last words.
        message: String,
    },
    /// A user container can't start: its image, its configuration.
    Waiting {
        /// Kubelet's word.
        reason: String,
        /// Kubelet's sentence.
        message: String,
    },
}

/// The first fault among `pods`. The sidecar's own faults don't count: they are not the user's.
pub(super) fn fault(pods: &[Arc<Pod>]) -> Option<Fault> {
    pods.iter()
        .find_map(|pod| unschedulable(pod).or_else(|| of_containers(pod)))
}

fn unschedulable(pod: &Pod) -> Option<Fault> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled")?;
    (scheduled.status == "False").then(|| Fault::Unschedulable {
        reason: scheduled.reason.clone().unwrap_or_default(),
        message: scheduled.message.clone().unwrap_or_default(),
    })
}

fn of_containers(pod: &Pod) -> Option<Fault> {
    let containers = pod.status.as_ref()?.container_statuses.as_deref()?;
    let users = || {
        containers
            .iter()
            .filter(|container| container.name != QUEUE_PROXY)
    };
    users()
        .find_map(exited)
        .or_else(|| users().find_map(waiting))
}

fn exited(container: &ContainerStatus) -> Option<Fault> {
    let ended = container.last_state.as_ref()?.terminated.as_ref()?;
    let message = ended.message.clone().unwrap_or_default();
    Some(Fault::Exited {
        code: ended.exit_code,
        message,
    })
}

fn waiting(container: &ContainerStatus) -> Option<Fault> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    Some(Fault::Waiting {
        reason: waiting.reason.clone().unwrap_or_default(),
        message: waiting.message.clone().unwrap_or_default(),
    })
}
