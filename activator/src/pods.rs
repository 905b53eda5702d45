//! What a Pod object says about the pod: where it is, whether it may get requests, and why it
//! can't start. A pure reading; nothing is remembered here (contract/data-plane 2.5).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crds::name::serving;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodStatus};
use net::contract::{certificate, name, port};
use net::serve::Transport;

use crate::revision::RevisionId;

/// What a pod is, as Kubernetes tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodState {
    /// It has ended, or is asked to end: no new request goes there.
    Gone,
    /// It has no address yet.
    Starting {
        /// Where its queue-proxy will listen.
        port: u16,
        /// Whose word is needed before it gets requests.
        word: Word,
        /// How often its containers were started again.
        restarts: i32,
        /// What keeps it from starting.
        trouble: Option<Trouble>,
    },
    /// It has an address, and kubelet doesn't call it ready.
    Up {
        /// Where its queue-proxy listens.
        address: SocketAddr,
        /// Whose word is needed before it gets requests.
        word: Word,
        /// How often its containers were started again; a new number is a new chance.
        restarts: i32,
        /// What keeps it from starting.
        trouble: Option<Trouble>,
    },
    /// Kubelet calls it ready.
    Ready {
        /// Where its queue-proxy listens.
        address: SocketAddr,
        /// How often its containers were started again.
        restarts: i32,
    },
}

/// Whose word makes a pod ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Its queue-proxy's, asked directly: faster than kubelet.
    QueueProxy,
    /// Kubelet's: it runs probes that a queue-proxy can't (exec, start-up).
    Kubelet,
}

/// What keeps a pod from starting. Shows as `container app is in ImagePullBackOff: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Container, or None for the pod as a whole.
    pub container: Option<String>,
    /// Reason in the words of Kubernetes.
    pub reason: String,
    /// Text of whoever failed; may be empty.
    pub message: String,
    /// Waiting doesn't help: the image, the configuration or the app must change.
    pub lasting: bool,
}

/// Waiting reasons of a container that don't pass by themselves.
const LASTING: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
];
const UNSCHEDULABLE: &str = "Unschedulable";
/// Names of the queue-proxy's ports for requests.
const QUEUE_PORT: &str = "queue-port";
const HTTPS_PORT: &str = "https-port";
/// Once is an accident; a container that came up again so often is in a loop.
const LOOPING: i32 = 2;

/// The revision that a pod belongs to.
pub fn revision_of(pod: &Pod) -> Option<RevisionId> {
    let name = pod.metadata.labels.as_ref()?.get(serving::REVISION)?;
    Some(RevisionId::new(pod.metadata.namespace.as_deref()?, name))
}

/// Reads a pod.
pub fn pod_state(pod: &Pod) -> PodState {
    let nothing = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&nothing);
    let ended = matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"));
    if ended || pod.metadata.deletion_timestamp.is_some() {
        return PodState::Gone;
    }
    let restarts = containers(status)
        .map(|container| container.restart_count)
        .sum();
    let (port, word) = (port(pod), word(pod));
    let Some(ip) = ip(status) else {
        return PodState::Starting {
            port,
            word,
            restarts,
            trouble: trouble(status),
        };
    };
    let address = SocketAddr::new(ip, port);
    if condition(status, "Ready") == Some("True") {
        return PodState::Ready { address, restarts };
    }
    PodState::Up {
        address,
        word,
        restarts,
        trouble: trouble(status),
    }
}

/// How a pod is spoken to: over TLS if it has a certificate. Its spec says so, and never changes.
pub fn transport(pod: &Pod) -> Transport {
    let mut volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    match volumes.any(|volume| volume.name == certificate::VOLUME) {
        true => Transport::Tls,
        false => Transport::Plain,
    }
}

fn ip(status: &PodStatus) -> Option<IpAddr> {
    status.pod_ip.as_deref()?.parse().ok()
}

fn port(pod: &Pod) -> u16 {
    let containers = pod
        .spec
        .as_ref()
        .map(|spec| spec.containers.as_slice())
        .unwrap_or_default();
    let (name, usual) = match transport(pod) {
        Transport::Plain => (QUEUE_PORT, port::QUEUE_HTTP1),
        Transport::Tls => (HTTPS_PORT, port::QUEUE_HTTPS),
    };
    containers
        .iter()
        .filter(|container| container.name == name::QUEUE_PROXY)
        .flat_map(|container| container.ports.iter().flatten())
        .find(|port| port.name.as_deref() == Some(name))
        .and_then(|port| u16::try_from(port.container_port).ok())
        .unwrap_or(usual)
}

fn word(pod: &Pod) -> Word {
    let for_kubelet = |container: &Container| {
        container.startup_probe.is_some()
            || container
                .readiness_probe
                .as_ref()
                .is_some_and(|probe| probe.exec.is_some())
    };
    match pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.containers.iter().any(for_kubelet))
    {
        true => Word::Kubelet,
        false => Word::QueueProxy,
    }
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a str> {
    let mut conditions = status.conditions.iter().flatten();
    conditions
        .find(|condition| condition.type_ == kind)
        .map(|condition| condition.status.as_str())
}

fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let init = status.init_container_statuses.iter().flatten();
    init.chain(status.container_statuses.iter().flatten())
}

fn trouble(status: &PodStatus) -> Option<Trouble> {
    containers(status)
        .find_map(container_trouble)
        .or_else(|| unschedulable(status))
}

fn container_trouble(container: &ContainerStatus) -> Option<Trouble> {
    let trouble = |reason: &str, message: &Option<String>| Trouble {
        container: Some(container.name.clone()),
        reason: reason.to_owned(),
        message: message.clone().unwrap_or_default(),
        lasting: true,
    };
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| LASTING.contains(reason))?;
        return Some(trouble(reason, &waiting.message));
    }
    // Between two crashes a container runs for a moment, or has just ended: still the same loop.
    let last = container
        .last_state
        .as_ref()
        .and_then(|last| last.terminated.as_ref());
    let ended = state
        .terminated
        .as_ref()
        .or(last)
        .filter(|ended| ended.exit_code != 0)?;
    let looping = container.restart_count >= LOOPING && !container.ready;
    looping.then(|| trouble("CrashLoopBackOff", &ended.message))
}

/// Another node may come: this passes by itself in clusters that grow.
fn unschedulable(status: &PodStatus) -> Option<Trouble> {
    let scheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled")?;
    let stuck = scheduled.status == "False" && scheduled.reason.as_deref() == Some(UNSCHEDULABLE);
    stuck.then(|| Trouble {
        container: None,
        reason: UNSCHEDULABLE.to_owned(),
        message: scheduled.message.clone().unwrap_or_default(),
        lasting: false,
    })
}

// === impl PodState ===

impl PodState {
    /// The same when the pod has told its address itself. Only a pod that Kubernetes knows no
    /// address of, and whose queue-proxy's word is enough, can do so.
    #[must_use]
    pub fn announced(self, ip: IpAddr) -> Self {
        match self {
            Self::Starting {
                port,
                word: word @ Word::QueueProxy,
                restarts,
                trouble,
            } => Self::Up {
                address: SocketAddr::new(ip, port),
                word,
                restarts,
                trouble,
            },
            other => other,
        }
    }

    /// Where its queue-proxy listens.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Gone | Self::Starting { .. } => None,
            Self::Up { address, .. } | Self::Ready { address, .. } => Some(*address),
        }
    }

    /// What keeps it from starting, where waiting doesn't help.
    pub fn lasting_trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Gone | Self::Ready { .. } => None,
            Self::Starting { trouble, .. } | Self::Up { trouble, .. } => {
                trouble.as_ref().filter(|trouble| trouble.lasting)
            }
        }
    }
}

// === impl Trouble ===

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.container {
            Some(container) => write!(f, "container {container} is in {}", self.reason)?,
            None => write!(f, "pod is in {}", self.reason)?,
        }
        match self.message.trim() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

#[cfg(test)]
mod tests;
