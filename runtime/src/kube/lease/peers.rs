//! The other replicas: whether the process that a lease names can still be there, and which replica
//! is the right one for a lease.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::time::Instant;

use super::identity::{Identity, pod_of};
use super::part::hash;
use super::seat::{Life, Place};

/// How long an answer about a pod is of use.
const USEFUL: Duration = Duration::from_secs(60);

/// What is known of the pods of our Deployment.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// None until the pods were listed.
    pods: Option<BTreeMap<String, Peer>>,
    answers: BTreeMap<String, PodAnswer>,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    alive: bool,
    /// Since when it serves, by our clock.
    ready_since: Option<Instant>,
}

/// What the API server said of a pod, when asked at `asked`.
#[derive(Clone, Copy, Debug)]
struct PodAnswer {
    alive: bool,
    asked: Instant,
}

/// Whether a process in `pod` can be running.
pub(super) fn is_alive(pod: &Pod) -> bool {
    let status = pod.status.clone().unwrap_or_default();
    let ended = ["Succeeded", "Failed"].contains(&status.phase.as_deref().unwrap_or_default());
    let containers = status.container_statuses.unwrap_or_default();
    let mut states = containers.iter().filter_map(|status| status.state.as_ref());
    let runs = containers.is_empty() || states.any(|state| state.running.is_some());
    !ended && runs
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "Ready" && c.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

impl Peers {
    /// These pods are there now.
    pub(super) fn update<'a>(
        &mut self,
        me: &Identity,
        pods: impl Iterator<Item = &'a Pod>,
        now: Instant,
    ) {
        let before = self.pods.take().unwrap_or_default();
        let siblings = pods
            .filter(|pod| me.is_sibling(&pod.name_any()))
            .map(|pod| {
                let name = pod.name_any();
                let known = before.get(&name).and_then(|peer| peer.ready_since);
                let peer = Peer {
                    alive: is_alive(pod),
                    ready_since: is_ready(pod).then(|| known.unwrap_or(now)),
                };
                (name, peer)
            });
        self.pods = Some(siblings.collect());
        self.answers.retain(|_, answer| now < answer.asked + USEFUL);
    }

    /// The API server was asked for `pod` at `asked`.
    pub(super) fn answered(&mut self, pod: String, alive: bool, asked: Instant) {
        self.answers.insert(pod, PodAnswer { alive, asked });
    }

    /// Whether we are the only replica there is, as far as we know.
    pub(super) fn are_absent(&self, me: &Identity) -> bool {
        let mut pods = self.pods.iter().flatten();
        me.pod().is_some()
            && self.pods.is_some()
            && !pods.any(|(name, peer)| peer.alive && Some(name.as_str()) != me.pod())
    }

    /// Whether `holder`, whose last sign of life was seen at `sign`, can still be there. Nothing is
    /// known of those who are not of our Deployment. An answer holds only for signs that are older:
    /// a later one is another process, in a container that was started again. After an answer that
    /// the pod lives, it is not asked for again within `pause`.
    pub(super) fn life(
        &self,
        me: &Identity,
        holder: &str,
        sign: Instant,
        (pause, now): (Duration, Instant),
    ) -> Life {
        let (Some(pod), Some(pods)) = (pod_of(holder), &self.pods) else {
            return Life::Alive;
        };
        if !me.is_sibling(pod) || pods.get(pod).is_some_and(|peer| peer.alive) {
            return Life::Alive;
        }
        match self.answers.get(pod) {
            Some(answer) if !answer.alive && sign <= answer.asked => Life::Gone(answer.asked),
            Some(answer) if answer.alive && now < answer.asked + pause => Life::Alive,
            _ => Life::Doubtful,
        }
    }

    /// Where `lease` should be: of the replicas that are ready, and us, each lease has its order.
    /// `settled` is how long a replica must have been ready to be worth a move.
    pub(super) fn place(
        &self,
        me: &Identity,
        lease: &str,
        (settled, now): (Duration, Instant),
    ) -> Place {
        let (Some(our_pod), Some(pods)) = (me.pod(), &self.pods) else {
            return Place::Here;
        };
        let ours = weight(lease, our_pod);
        let mut heavier = pods
            .iter()
            .filter(|(name, _)| *name != our_pod && weight(lease, name) > ours)
            .filter_map(|(_, peer)| peer.ready_since)
            .peekable();
        if heavier.peek().is_none() {
            Place::Here
        } else if heavier.any(|ready| now >= ready + settled) {
            Place::Settled
        } else {
            Place::Elsewhere
        }
    }
}

/// Rendezvous hashing: the heaviest replica has the lease. When one goes, only its leases move.
fn weight(lease: &str, pod: &str) -> u64 {
    hash(lease.bytes().chain([b'@']).chain(pod.bytes()))
}

#[cfg(test)]
mod tests;
