//! One revision: its rules, its line, its pods.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use net::upstream::{Upstream, UpstreamSettings};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::health::{Health, Record};
use crate::metrics::{Metrics, RevisionMetrics};
use crate::pods::PodState;
use crate::prober;
use crate::report::Load;
use crate::revision::{RevisionId, Settings};
use crate::throttle::{Backend, Budget, Refused, Throttle};

/// How long all pods of a revision must be unable to start before those who wait are told. Long
/// enough for one retry of kubelet, far below the time that a request may take.
const GRACE: Duration = Duration::from_secs(10);

/// A dead node must not hold a request for long, and one lost SYN (1 s) must not fail it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One revision as the front door sees it.
#[derive(Debug)]
pub struct Member {
    id: RevisionId,
    known: RwLock<Option<Arc<Known>>>,
    throttle: Arc<Throttle>,
    load: Mutex<Load>,
    pods: Mutex<BTreeMap<String, Pod>>,
    probes: TaskTracker,
}

/// What the Revision object says, and the metrics that carry its labels.
#[derive(Debug)]
pub struct Known {
    /// Rules of requests.
    pub settings: Settings,
    /// Metrics of the revision.
    pub metrics: RevisionMetrics,
}

#[derive(Debug)]
struct Pod {
    record: Record,
    backend: Option<Arc<Backend>>,
}

// === impl Member ===

impl Member {
    pub(super) fn new(
        id: RevisionId,
        budget: Arc<Budget>,
        metrics: &Metrics,
        probes: TaskTracker,
    ) -> Arc<Self> {
        let throttle = Throttle::new(id.clone(), None, budget, metrics.queued(&id));
        let load = Mutex::new(Load::new(Instant::now()));
        let (known, pods) = (RwLock::default(), Mutex::default());
        Arc::new(Self {
            id,
            known,
            throttle,
            load,
            pods,
            probes,
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
        let metrics = metrics.revision(&self.id, &settings);
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
        let probe = self.pods.lock().change(name, state, now);
        self.publish();
        if let Some(backend) = probe {
            self.probe(name, backend);
        }
    }

    /// A pod told its address itself, and was believed. Returns whether that was news.
    pub(super) fn pod_announced(self: &Arc<Self>, name: &str, ip: IpAddr, now: Instant) -> bool {
        let probe = self.pods.lock().announced(name, ip, now);
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

// === the pods of a revision ===

/// Steps of the set of pods, each under one lock.
trait Pods {
    fn change(&mut self, name: &str, state: PodState, now: Instant) -> Option<Arc<Backend>>;
    fn announced(&mut self, name: &str, ip: IpAddr, now: Instant) -> Option<Arc<Backend>>;
    fn suspect(&mut self, backend: &Arc<Backend>) -> Option<String>;
    fn answered(&mut self, name: &str, backend: &Arc<Backend>) -> bool;
    fn trouble(&self, long_ago: Instant) -> Option<Arc<str>>;
}

impl Pods for BTreeMap<String, Pod> {
    /// Takes a pod's new state; returns its backend if it must be probed from now on.
    fn change(&mut self, name: &str, state: PodState, now: Instant) -> Option<Arc<Backend>> {
        let before = self.remove(name);
        let record = Record::next(before.as_ref().map(|pod| &pod.record), state, now);
        let backend = record.state.address().map(|address| {
            let old = before.as_ref().and_then(|pod| pod.backend.clone());
            old.filter(|old| old.upstream().addr() == address)
                .unwrap_or_else(|| backend(address))
        });
        let probed_already = match (&before, &backend) {
            (Some(pod), Some(backend)) => pod.is_probed(backend),
            (None, _) | (_, None) => false,
        };
        let probe = record.health == Health::Probed && !probed_already;
        let pod = Pod { record, backend };
        let backend = pod.backend.clone().filter(|_| probe);
        self.insert(name.to_owned(), pod);
        backend
    }

    /// Takes an address from the pod itself; returns its backend if that was news.
    fn announced(&mut self, name: &str, ip: IpAddr, now: Instant) -> Option<Arc<Backend>> {
        let pod = self.get_mut(name)?;
        pod.record = pod.record.told(ip, now)?;
        pod.backend = pod.record.state.address().map(backend);
        pod.backend.clone()
    }

    /// Returns the pod's name if it was healthy until now.
    fn suspect(&mut self, backend: &Arc<Backend>) -> Option<String> {
        let (name, pod) = self.iter_mut().find(|(_, pod)| pod.is(backend))?;
        if pod.record.health != Health::Healthy {
            return None;
        }
        pod.record.health = Health::Probed;
        Some(name.clone())
    }

    /// Returns whether it is healthy since now.
    fn answered(&mut self, name: &str, backend: &Arc<Backend>) -> bool {
        match self.get_mut(name).filter(|pod| pod.is_probed(backend)) {
            Some(pod) => {
                pod.record.health = Health::Healthy;
                true
            }
            None => false,
        }
    }

    /// What keeps the pods from starting, if there are some and none of them can.
    fn trouble(&self, long_ago: Instant) -> Option<Arc<str>> {
        let mut pods = self
            .values()
            .filter(|pod| pod.record.state != PodState::Gone)
            .peekable();
        pods.peek()?;
        let mut trouble = None;
        for pod in pods {
            trouble = Some(pod.record.stuck(long_ago)?);
        }
        trouble.map(|trouble| trouble.to_string().into())
    }
}

fn backend(address: SocketAddr) -> Arc<Backend> {
    let settings = UpstreamSettings {
        connect_timeout: CONNECT_TIMEOUT,
        ..UpstreamSettings::default()
    };
    Backend::lending(Upstream::new(address, settings))
}

// === impl Pod ===

impl Pod {
    fn is(&self, backend: &Arc<Backend>) -> bool {
        self.backend
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, backend))
    }

    fn is_probed(&self, backend: &Arc<Backend>) -> bool {
        self.record.health == Health::Probed && self.is(backend)
    }
}
