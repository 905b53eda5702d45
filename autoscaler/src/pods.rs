//! Pods per revision, counted as they change (contract/data-plane 1.5).

mod observed;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crds::name::serving;
use jiff::Timestamp;
use kube::ResourceExt;
use net::contract::port;
use parking_lot::Mutex;

use crate::id::RevisionId;
use crate::scrape::Target;
pub(crate) use observed::Stage;

pub use observed::ObservedPod;

/// Pods of one revision. A pod counts once, or not at all when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Running, ready, and not about to go.
    pub ready: u32,
    /// Running, but not ready.
    pub not_ready: u32,
    /// Not running yet.
    pub pending: u32,
    /// About to go.
    pub terminating: u32,
}

/// What we keep of a pod.
#[derive(Clone, Copy, Debug)]
struct Known {
    stage: Stage,
    address: Option<IpAddr>,
    started: Option<Timestamp>,
}

/// All pods of all revisions.
#[derive(Debug, Default)]
pub struct Pods {
    revisions: Mutex<HashMap<RevisionId, HashMap<String, Known>>>,
}

impl Pods {
    /// Pods of a revision.
    pub fn counts(&self, id: &RevisionId) -> PodCounts {
        let mut counts = PodCounts::default();
        let revisions = self.revisions.lock();
        for pod in revisions.get(id).into_iter().flat_map(HashMap::values) {
            match pod.stage {
                Stage::Pending => counts.pending += 1,
                Stage::NotReady => counts.not_ready += 1,
                Stage::Ready => counts.ready += 1,
                Stage::Terminating => counts.terminating += 1,
                Stage::Ended => {}
            }
        }
        counts
    }

    /// The queue-proxies of a revision's ready pods.
    pub(crate) fn targets(&self, id: &RevisionId) -> Vec<Target> {
        let revisions = self.revisions.lock();
        let pods = revisions.get(id).into_iter().flat_map(HashMap::values);
        let ready = pods.filter(|pod| pod.stage == Stage::Ready);
        let target = |pod: &Known| {
            Some(Target {
                address: SocketAddr::new(pod.address?, port::METRICS),
                started: pod.started,
            })
        };
        ready.filter_map(target).collect()
    }

    /// Takes a pod that was added or changed. Answers with its revision if its counts may differ
    /// now.
    pub fn keep(&self, pod: &ObservedPod) -> Option<RevisionId> {
        let id = revision(pod)?;
        let known = Known {
            stage: pod.stage(),
            address: pod.address(),
            started: pod.started(),
        };
        let mut revisions = self.revisions.lock();
        let before = revisions
            .entry(id.clone())
            .or_default()
            .insert(pod.name_any(), known);
        let before = before.map(|before| before.stage);
        (before != Some(known.stage)).then_some(id)
    }

    /// Forgets a pod that was deleted. Answers with its revision.
    pub fn forget(&self, pod: &ObservedPod) -> Option<RevisionId> {
        let id = revision(pod)?;
        let mut revisions = self.revisions.lock();
        let pods = revisions.get_mut(&id)?;
        pods.remove(&pod.name_any());
        if pods.is_empty() {
            revisions.remove(&id);
        }
        Some(id)
    }
}

/// The revision that a Deployment or a pod belongs to.
pub fn revision<K: ResourceExt>(object: &K) -> Option<RevisionId> {
    let name = object.labels().get(serving::REVISION)?;
    Some(RevisionId::new(object.namespace()?, name))
}

#[cfg(test)]
mod tests {
    use super::{ObservedPod, PodCounts, Pods};
    use crate::id::RevisionId;
    use serde_json::json;

    fn pod(name: &str, phase: &str, ready: &str, deleted: bool) -> ObservedPod {
        let deleted = deleted.then_some("2026-01-01T00:00:00Z");
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "ns", "deletionTimestamp": deleted,
                "labels": { "serving.knative.dev/revision": "hello" }
            },
            "status": { "phase": phase, "conditions": [{ "type": "Ready", "status": ready }] }
        }))
        .unwrap()
    }

    #[test]
    fn a_pod_counts_by_its_stage() {
        let (pods, id) = (Pods::default(), RevisionId::new("ns", "hello"));
        pods.keep(&pod("a", "Running", "True", false));
        pods.keep(&pod("b", "Running", "True", false));
        pods.keep(&pod("c", "Running", "False", false));
        pods.keep(&pod("d", "Pending", "False", false));
        pods.keep(&pod("e", "Running", "True", true));
        pods.keep(&pod("f", "Failed", "False", false));
        let counts = PodCounts {
            ready: 2,
            not_ready: 1,
            pending: 1,
            terminating: 1,
        };
        assert_eq!(pods.counts(&id), counts);
    }

    #[test]
    fn changes_of_the_counts_are_told_and_nothing_is_left_behind() {
        let (pods, id) = (Pods::default(), RevisionId::new("ns", "hello"));
        let starting = pod("a", "Pending", "False", false);
        assert_eq!(pods.keep(&starting).as_ref(), Some(&id));
        assert_eq!(pods.keep(&starting), None);
        assert_eq!(pods.keep(&ObservedPod::default()), None);
        assert_eq!(pods.forget(&starting).as_ref(), Some(&id));
        assert_eq!(pods.counts(&id), PodCounts::default());
        assert!(pods.revisions.lock().is_empty());
    }
}
