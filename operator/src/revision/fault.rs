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

/// What kubelet says of a container that is on its way.
const ON_ITS_WAY: [&str; 3] = ["", "ContainerCreating", "PodInitializing"];
const EXIT_CODE: &str = "ExitCode";

impl Fault {
    /// Reason and message for people. None: perhaps it is no fault, the container is on its way.
    pub(super) fn told(&self) -> Option<(String, String)> {
        match self {
            Self::Unschedulable { reason, message } => Some((reason.clone(), message.clone())),
            Self::Exited { code, message } => {
                let message = match (code, message.as_str()) {
                    (0, "") => "container exited with no error",
                    (_, message) => message,
                };
                Some((
                    format!("{EXIT_CODE}{code}"),
                    format!("Container failed with: {message}"),
                ))
            }
            Self::Waiting { reason, message } => {
                let stuck = !ON_ITS_WAY.contains(&reason.as_str());
                stuck.then(|| (reason.clone(), message.clone()))
            }
        }
    }

    /// Whether `reason` is that of a container that ran and ended.
    pub(super) fn is_exit(reason: &str) -> bool {
        reason.starts_with(EXIT_CODE)
    }
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
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let init: Vec<_> = init
        .filter(|container| !has_done_its_work(container))
        .collect();
    let containers = status.container_statuses.iter().flatten();
    let users: Vec<_> = init
        .into_iter()
        .chain(containers.filter(|container| container.name != QUEUE_PROXY))
        .collect();
    let first = |find: fn(&ContainerStatus) -> Option<Fault>| users.iter().copied().find_map(find);
    first(exited)
        .or_else(|| first(|it| waiting(it).filter(|fault| fault.told().is_some())))
        .or_else(|| first(waiting))
}

/// An init container that has ended well says nothing any more, however often it had to try.
fn has_done_its_work(container: &ContainerStatus) -> bool {
    let state = container.state.as_ref();
    let ended = state.and_then(|state| state.terminated.as_ref());
    ended.is_some_and(|ended| ended.exit_code == 0)
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
