//! One revision: its rules, its line, its pods.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use net::serve::Transport;
use net::tls::{Peer, Trust};
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::health::Health;
use super::roster::{Pod, Pods};
use crate::cold::{Birth, Breakdown, ColdStart};
use crate::metrics::{Metrics, RevisionMetrics};
use crate::pods::PodState;
use crate::prober;
use crate::report::Load;
use crate::revision::{RevisionId, Settings};
use crate::throttle::{Backend, Budget, Refused, Throttle};

/// How long all pods of a revision must be unable to start before those who wait are told. Long
/// enough for one retry of kubelet, far below the time that a request may take.
const GRACE: Duration = Duration::from_secs(10);

/// One revision as the front door sees it.
#[derive(Debug)]
pub struct Member {
    id: RevisionId,
    known: RwLock<Option<Arc<Known>>>,
    throttle: Arc<Throttle>,
    load: Mutex<Load>,
    pods: Mutex<BTreeMap<String, Pod>>,
    /// Who its pods must be, where they are spoken to over TLS.
    peer: Peer,
    probes: TaskTracker,
    slow: mpsc::Sender<SlowStart>,
}

/// A cold start that a person should know of.
#[derive(Clone, Debug)]
pub struct SlowStart {
    /// The revision.
    pub id: RevisionId,
    /// UID of its object.
    pub uid: String,
    /// What happened.
    pub what: String,
}

/// What the Revision object says, and the metrics that carry its labels.
#[derive(Debug)]
pub struct Known {
    /// Rules of requests.
    pub settings: Settings,
    /// Metrics of the revision.
    pub metrics: Arc<RevisionMetrics>,
}

// === impl Member ===

impl Member {
    pub(super) fn new(
        id: RevisionId,
        budget: Arc<Budget>,
        trust: Trust,
        probes: TaskTracker,
        slow: mpsc::Sender<SlowStart>,
    ) -> Arc<Self> {
        let throttle = Throttle::new(id.clone(), None, budget);
        let load = Mutex::new(Load::new(Instant::now()));
        let (known, pods) = (RwLock::default(), Mutex::default());
        let peer = Peer::pod_of(trust, id.namespace());
        Arc::new(Self {
            id,
            known,
            throttle,
            load,
            pods,
            peer,
            probes,
            slow,
        })
    }

    /// Its name.
    pub fn id(&self) -> &RevisionId {
        &self.id
    }

    /// What its Revision object says; None before that was seen.
    pub fn known(&self) -> Option<Arc<Known>> {
        self.known.read().clone()
    }

    /// Its line.
    pub fn throttle(&self) -> &Arc<Throttle> {
        &self.throttle
    }

    /// Its requests, counted.
    pub(crate) fn load(&self) -> &Mutex<Load> {
        &self.load
    }

    pub(super) fn learn(&self, settings: Settings, metrics: &Metrics) {
        let limit = settings.limit;
        let same = |known: &Arc<Known>| known.settings == settings;
        if self.known.read().as_ref().is_some_and(same) {
            return;
        }
        let metrics = metrics.revision(&self.id, &settings, &self.throttle);
        *self.known.write() = Some(Arc::new(Known { settings, metrics }));
        self.throttle.relent();
        self.throttle.set_limit(limit);
    }

    /// The Revision object is gone: nobody needs to wait any more.
    pub(super) fn forget(&self, metrics: &Metrics) {
        if let Some(known) = self.known.write().take() {
            metrics.forget(&self.id, &known.metrics);
        }
        self.throttle.refuse(&Refused::Deleted(self.id.clone()));
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.known.read().is_none() && self.pods.lock().is_empty()
    }

    /// Kubernetes told how a pod is.
    pub(super) fn pod_changed(self: &Arc<Self>, name: &str, state: PodState, now: Instant) {
        let (probe, story) = {
            let mut pods = self.pods.lock();
            let probe = pods.change(name, state, &self.peer, now);
            (probe, pods.get_mut(name).and_then(Pod::ended_story))
        };
        self.tell(story);
        self.publish();
        if let Some(backend) = probe {
            self.probe(name, backend);
        }
    }

    /// Kubernetes told how far a pod is.
    pub(super) fn pod_progressed(&self, name: &str, birth: Birth) {
        let mut pods = self.pods.lock();
        let pod = pods.entry(name.to_owned()).or_insert_with(Pod::unknown);
        pod.birth = pod.birth.and(birth);
    }

    /// Kubernetes told how a pod is spoken to.
    pub(super) fn pod_speaks(&self, name: &str, transport: Transport) {
        let mut pods = self.pods.lock();
        let pod = pods.entry(name.to_owned()).or_insert_with(Pod::unknown);
        pod.transport = transport;
    }

    /// A request was answered that came when there was no pod. Returns where its time went, as far
    /// as that is known by now.
    pub fn cold_started(&self, backend: &Arc<Backend>, cold: ColdStart) -> Breakdown {
        let mut pods = self.pods.lock();
        let Some(pod) = pods.values_mut().find(|pod| pod.is(backend)) else {
            return cold.breakdown(&Birth::default());
        };
        let breakdown = pod.ended(cold);
        let ended = pod.ended_story();
        drop(pods);
        self.tell(ended);
        breakdown
    }

    fn tell(&self, story: Option<Breakdown>) {
        let (Some(breakdown), Some(known)) = (story, self.known()) else {
            return;
        };
        known.metrics.cold_start_took(&breakdown);
        debug!(revision = %self.id, %breakdown, "cold start");
        if let Some(what) = breakdown.complaint() {
            let (id, uid) = (self.id.clone(), known.settings.uid.clone());
            // When too many wait, a few of them tell the same story.
            let _ = self.slow.try_send(SlowStart { id, uid, what });
        }
    }

    /// A pod told its address itself, and was believed. Returns whether that was news.
    pub(super) fn pod_announced(self: &Arc<Self>, name: &str, ip: IpAddr, now: Instant) -> bool {
        let probe = self.pods.lock().announced(name, ip, &self.peer, now);
        let news = probe.is_some();
        if let Some(backend) = probe {
            self.probe(name, backend);
        }
        news
    }

    pub(super) fn pod_gone(self: &Arc<Self>, name: &str) {
        self.pods.lock().remove(name);
        self.publish();
    }

    /// A pod took no connection: nobody is sent there until it answers a probe.
    pub fn suspect(self: &Arc<Self>, backend: &Arc<Backend>) {
        let Some(name) = self.pods.lock().suspect(backend) else {
            return;
        };
        info!(revision = %self.id, pod = name, "pod refused a connection: asking it first");
        self.publish();
        self.probe(&name, Arc::clone(backend));
    }

    /// A probed pod answered.
    pub(crate) fn answered(self: &Arc<Self>, name: &str, backend: &Arc<Backend>) {
        if self.pods.lock().answered(name, backend) {
            debug!(revision = %self.id, pod = name, "pod answered");
            self.publish();
        }
    }

    /// Whether a pod is still worth a probe.
    pub(crate) fn is_probed(&self, name: &str, backend: &Arc<Backend>) -> bool {
        self.pods
            .lock()
            .get(name)
            .is_some_and(|pod| pod.is_probed(backend))
    }

    /// Tells those who wait in vain. To be called about once a second.
    pub(super) fn check(&self, now: Instant) {
        let Some(long_ago) = now.checked_sub(GRACE) else {
            return;
        };
        if self.known.read().is_none() {
            return;
        }
        let trouble = self.pods.lock().trouble(long_ago);
        match trouble {
            Some(trouble) => {
                let refused = Refused::CantStart {
                    id: self.id.clone(),
                    trouble,
                };
                self.throttle.refuse(&refused);
            }
            None => self.throttle.relent(),
        }
    }

    fn publish(self: &Arc<Self>) {
        // Under the pods' lock, or an older list could overwrite a newer one. The throttle never
        // asks for that lock.
        let pods = self.pods.lock();
        let healthy = pods
            .values()
            .filter(|pod| pod.record.health == Health::Healthy);
        let backends = healthy.filter_map(|pod| pod.backend.clone()).collect();
        self.throttle.set_backends(backends);
    }

    fn probe(self: &Arc<Self>, name: &str, backend: Arc<Backend>) {
        let pod = prober::Target {
            member: Arc::downgrade(self),
            pod: name.to_owned(),
            backend,
        };
        self.probes.spawn(prober::ask_until_answered(pod));
    }
}
