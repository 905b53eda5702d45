//! All revisions that this replica knows, fed by the watches on Revisions and Pods.

mod health;
mod member;
mod roster;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use net::serve::Transport;
use net::tls::{TlsSettings, Trust};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub use member::{Known, Member, SlowStart};

use crate::cold::Birth;
use crate::metrics::Metrics;
use crate::pods::PodState;
use crate::revision::{RevisionId, Settings};
use crate::throttle::Budget;

/// All revisions. A request's path takes one read lock here and keeps nothing.
#[derive(Debug)]
pub struct Fleet {
    members: RwLock<HashMap<RevisionId, Arc<Member>>>,
    grown: watch::Sender<()>,
    budget: Arc<Budget>,
    metrics: Arc<Metrics>,
    trust: Trust,
    probes: TaskTracker,
    slow: mpsc::Sender<SlowStart>,
    slow_starts: Mutex<Option<mpsc::Receiver<SlowStart>>>,
}

/// Slow cold starts that wait to be told. More are not told.
const SLOW_STARTS: usize = 64;

// === impl Fleet ===

impl Fleet {
    /// Knows nobody yet, and believes no pod that is spoken to over TLS. `queue_bytes` is what waiting
    /// requests may cost together.
    pub fn new(queue_bytes: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::trusting(Trust::new(TlsSettings::default()), queue_bytes, metrics)
    }

    /// The same with authorities for those pods.
    pub fn trusting(trust: Trust, queue_bytes: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        let (slow, slow_starts) = mpsc::channel(SLOW_STARTS);
        Arc::new(Self {
            members: RwLock::default(),
            grown: watch::Sender::new(()),
            budget: Budget::new(queue_bytes),
            metrics,
            trust,
            probes: TaskTracker::new(),
            slow,
            slow_starts: Mutex::new(Some(slow_starts)),
        })
    }

    /// The revision, if its object was seen.
    pub fn get(&self, id: &RevisionId) -> Option<(Arc<Member>, Arc<Known>)> {
        let member = self.members.read().get(id).cloned()?;
        let known = member.known()?;
        Some((member, known))
    }

    /// The same, where it may be that the watch on Revisions is behind the one that named it:
    /// waits up to `patience`. Cancel-safe.
    pub async fn find(
        &self,
        id: &RevisionId,
        patience: Duration,
    ) -> Option<(Arc<Member>, Arc<Known>)> {
        let mut grown = self.grown.subscribe();
        let wait = async {
            loop {
                grown.mark_unchanged();
                if let Some(found) = self.get(id) {
                    return Some(found);
                }
                grown.changed().await.ok()?;
            }
        };
        tokio::time::timeout(patience, wait).await.ok().flatten()
    }

    /// A Revision is there, new or changed.
    pub fn revision_changed(&self, id: &RevisionId, settings: Settings) {
        self.member(id).learn(settings, &self.metrics);
        self.grown.send_replace(());
    }

    /// A Revision is gone.
    pub fn revision_gone(&self, id: &RevisionId) {
        let member = self.members.read().get(id).cloned();
        if let Some(member) = member {
            member.forget(&self.metrics);
            self.drop_if_empty(&member);
        }
    }

    /// The cold starts that a person should know of, for the one who asks first.
    pub fn slow_starts(&self) -> Option<mpsc::Receiver<SlowStart>> {
        self.slow_starts.lock().take()
    }

    /// How far a pod is on its first way. To be told before [`Fleet::pod_changed`].
    pub fn pod_progressed(&self, id: &RevisionId, pod: &str, birth: Birth) {
        self.member(id).pod_progressed(pod, birth);
    }

    /// How a pod is spoken to. To be told before [`Fleet::pod_changed`].
    pub fn pod_speaks(&self, id: &RevisionId, pod: &str, transport: Transport) {
        self.member(id).pod_speaks(pod, transport);
    }

    /// A pod is there, new or changed.
    pub fn pod_changed(&self, id: &RevisionId, pod: &str, state: PodState, now: Instant) {
        self.member(id).pod_changed(pod, state, now);
    }

    /// A pod of this revision told its address itself, and was believed. Returns whether that was
    /// news.
    pub fn pod_announced(&self, id: &RevisionId, pod: &str, ip: IpAddr, now: Instant) -> bool {
        let member = self.members.read().get(id).cloned();
        member.is_some_and(|member| member.pod_announced(pod, ip, now))
    }

    /// A pod is gone.
    pub fn pod_gone(&self, id: &RevisionId, pod: &str) {
        let member = self.members.read().get(id).cloned();
        if let Some(member) = member {
            member.pod_gone(pod);
            self.drop_if_empty(&member);
        }
    }

    /// Tells requests that wait in vain. To be called about once a second.
    pub fn check(&self, now: Instant) {
        let members: Vec<_> = self.members.read().values().cloned().collect();
        for member in members {
            member.check(now);
        }
    }

    /// How many revisions are known.
    pub fn len(&self) -> usize {
        self.members.read().len()
    }

    /// Whether no revision is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn member(&self, id: &RevisionId) -> Arc<Member> {
        if let Some(member) = self.members.read().get(id) {
            return Arc::clone(member);
        }
        let new = || {
            let (budget, probes) = (Arc::clone(&self.budget), self.probes.clone());
            let (trust, slow) = (self.trust.clone(), self.slow.clone());
            Member::new(id.clone(), budget, trust, probes, slow)
        };
        Arc::clone(self.members.write().entry(id.clone()).or_insert_with(new))
    }

    fn drop_if_empty(&self, member: &Arc<Member>) {
        if member.is_empty() {
            self.members.write().remove(member.id());
        }
    }
}
