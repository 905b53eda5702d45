//! The pods of the simulation: they start, lend their slots, and go when their last request is done.

use std::collections::BTreeMap;

use super::Micros;
use crate::pods::PodCounts;

/// Names a pod; later ones are greater.
pub(super) type PodId = u64;

#[derive(Debug)]
pub(super) struct Pods {
    pods: BTreeMap<PodId, Pod>,
    /// Requests that one pod gets at once.
    slots: Option<u64>,
    /// How long pods take to become ready, in turn.
    start_up: Vec<Micros>,
    born: PodId,
}

#[derive(Clone, Copy, Debug)]
struct Pod {
    stage: Stage,
    requests: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Ready,
    Leaving,
}

impl Pods {
    /// None yet. `start_up` is not empty.
    pub(super) fn new(slots: Option<u64>, start_up: Vec<Micros>) -> Self {
        Self {
            pods: BTreeMap::new(),
            slots,
            start_up,
            born: 0,
        }
    }

    /// Pods that exist, those that go included.
    pub(super) fn len(&self) -> usize {
        self.pods.len()
    }

    /// As the autoscaler counts them.
    pub(super) fn counts(&self) -> PodCounts {
        let count = |stage| self.pods.values().filter(|pod| pod.stage == stage).count() as u32;
        PodCounts {
            ready: count(Stage::Ready),
            not_ready: count(Stage::Starting),
            pending: 0,
            terminating: count(Stage::Leaving),
        }
    }

    /// Starts and ends pods until there are `replicas`. Returns those that start, and how long each
    /// takes.
    pub(super) fn scale(&mut self, replicas: u32) -> Vec<(PodId, Micros)> {
        let counts = self.counts();
        let there = counts.ready + counts.not_ready;
        (replicas..there).for_each(|_| self.end_one());
        (there..replicas).map(|_| self.start_one()).collect()
    }

    fn start_one(&mut self) -> (PodId, Micros) {
        let id = self.born;
        self.born += 1;
        let pod = Pod {
            stage: Stage::Starting,
            requests: 0,
        };
        self.pods.insert(id, pod);
        (id, self.start_up[id as usize % self.start_up.len()])
    }

    /// As Kubernetes chooses: first who is not ready, then who was ready last.
    fn end_one(&mut self) {
        let newest = |stage| {
            let mut found = self.pods.iter().rev();
            found.find(|(_, pod)| pod.stage == stage).map(|(id, _)| *id)
        };
        let Some(id) = newest(Stage::Starting).or_else(|| newest(Stage::Ready)) else {
            return;
        };
        if let Some(pod) = self.pods.get_mut(&id) {
            pod.stage = Stage::Leaving;
            self.bury(id);
        }
    }

    /// A pod has started, if it is still wanted.
    pub(super) fn started(&mut self, id: PodId) {
        if let Some(pod) = self
            .pods
            .get_mut(&id)
            .filter(|pod| pod.stage == Stage::Starting)
        {
            pod.stage = Stage::Ready;
        }
    }

    /// The ready pod with the fewest requests takes one more, if it may.
    pub(super) fn take_request(&mut self) -> Option<PodId> {
        let ready = self
            .pods
            .iter_mut()
            .filter(|(_, pod)| pod.stage == Stage::Ready);
        let (id, pod) = ready.min_by_key(|(_, pod)| pod.requests)?;
        if self.slots.is_some_and(|slots| pod.requests >= slots) {
            return None;
        }
        pod.requests += 1;
        Some(*id)
    }

    /// A pod has answered.
    pub(super) fn answered(&mut self, id: PodId) {
        if let Some(pod) = self.pods.get_mut(&id) {
            pod.requests = pod.requests.saturating_sub(1);
            self.bury(id);
        }
    }

    /// Whoever leaves is gone with its last request.
    fn bury(&mut self, id: PodId) {
        let gone = |pod: &&Pod| pod.stage == Stage::Leaving && pod.requests == 0;
        if self.pods.get(&id).filter(gone).is_some() {
            self.pods.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pods;

    #[test]
    fn pods_start_in_turn_and_the_unready_go_first() {
        let mut pods = Pods::new(Some(1), vec![10, 20]);
        assert_eq!(pods.scale(3), [(0, 10), (1, 20), (2, 10)]);
        pods.started(0);
        pods.started(2);
        pods.scale(2);
        assert_eq!((pods.counts().ready, pods.counts().not_ready), (2, 0));
        pods.started(1);
        assert_eq!(pods.counts().ready, 2);
    }

    #[test]
    fn a_pod_that_leaves_finishes_what_it_has() {
        let mut pods = Pods::new(Some(1), vec![0]);
        pods.scale(2);
        [0, 1].into_iter().for_each(|id| pods.started(id));
        assert_eq!(
            [(); 3].map(|()| pods.take_request()),
            [Some(0), Some(1), None]
        );
        pods.scale(0);
        assert_eq!((pods.len(), pods.counts().terminating), (2, 2));
        pods.answered(0);
        assert_eq!((pods.len(), pods.take_request()), (1, None));
        pods.answered(1);
        assert_eq!(pods.len(), 0);
    }
}
