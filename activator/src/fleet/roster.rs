//! The pods of a revision: who may get requests, who is asked, and how each one came to be.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use net::serve::Transport;
use net::tls::Peer;
use net::upstream::{Upstream, UpstreamSettings};
use tokio::time::Instant;

use super::health::{Health, Record};
use crate::cold::{Birth, Breakdown, ColdStart};
use crate::pods::PodState;
use crate::throttle::Backend;

/// A dead node must not hold a request for long, and one lost SYN (1 s) must not fail it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Pod {
    pub(super) record: Record,
    pub(super) backend: Option<Arc<Backend>>,
    pub(super) birth: Birth,
    pub(super) transport: Transport,
    story: Story,
}

/// The cold start that a pod ended. It is told when Kubernetes has told all that it knows.
#[derive(Clone, Copy, Debug, Default)]
enum Story {
    #[default]
    None,
    Waits(ColdStart),
    Told,
}

/// Steps of the set of pods, each under one lock.
pub(super) trait Pods {
    fn change(
        &mut self,
        name: &str,
        state: PodState,
        peer: &Peer,
        now: Instant,
    ) -> Option<Arc<Backend>>;
    fn announced(
        &mut self,
        name: &str,
        ip: IpAddr,
        peer: &Peer,
        now: Instant,
    ) -> Option<Arc<Backend>>;
    fn suspect(&mut self, backend: &Arc<Backend>) -> Option<String>;
    fn answered(&mut self, name: &str, backend: &Arc<Backend>) -> bool;
    fn trouble(&self, long_ago: Instant) -> Option<Arc<str>>;
}

impl Pods for BTreeMap<String, Pod> {
    /// Takes a pod's new state; returns its backend if it must be probed from now on.
    fn change(
        &mut self,
        name: &str,
        state: PodState,
        peer: &Peer,
        now: Instant,
    ) -> Option<Arc<Backend>> {
        let before = self.remove(name);
        let transport = before
            .as_ref()
            .map_or(Transport::Plain, |pod| pod.transport);
        let record = Record::next(before.as_ref().map(|pod| &pod.record), state, now);
        let backend = record.state.address().map(|address| {
            let old = before.as_ref().and_then(|pod| pod.backend.clone());
            old.filter(|old| old.upstream().addr() == address)
                .unwrap_or_else(|| backend(address, transport, peer))
        });
        let probed_already = match (&before, &backend) {
            (Some(pod), Some(backend)) => pod.is_probed(backend),
            (None, _) | (_, None) => false,
        };
        let probe = record.health == Health::Probed && !probed_already;
        let (birth, story) = before.map_or_else(Default::default, |pod| (pod.birth, pod.story));
        let mut pod = Pod {
            record,
            backend,
            birth,
            transport,
            story,
        };
        pod.note_health(now);
        let backend = pod.backend.clone().filter(|_| probe);
        self.insert(name.to_owned(), pod);
        backend
    }

    /// Takes an address from the pod itself; returns its backend if that was news.
    fn announced(
        &mut self,
        name: &str,
        ip: IpAddr,
        peer: &Peer,
        now: Instant,
    ) -> Option<Arc<Backend>> {
        let pod = self.get_mut(name)?;
        pod.record = pod.record.told(ip, now)?;
        let address = pod.record.state.address();
        pod.backend = address.map(|address| backend(address, pod.transport, peer));
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
                pod.note_health(Instant::now());
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

fn backend(address: SocketAddr, transport: Transport, peer: &Peer) -> Arc<Backend> {
    let settings = UpstreamSettings {
        connect_timeout: CONNECT_TIMEOUT,
        ..UpstreamSettings::default()
    };
    Backend::lending(match transport {
        Transport::Plain => Upstream::new(address, settings),
        Transport::Tls => Upstream::over_tls(address, settings, peer.clone()),
    })
}

// === impl Pod ===

impl Pod {
    /// A pod whose state is told next.
    pub(super) fn unknown() -> Self {
        Self {
            record: Record::next(None, PodState::Gone, Instant::now()),
            backend: None,
            birth: Birth::default(),
            transport: Transport::Plain,
            story: Story::None,
        }
    }

    /// It ended a cold start, the first one counts. Returns where the time went, as far as is known.
    pub(super) fn ended(&mut self, cold: ColdStart) -> Breakdown {
        if matches!(self.story, Story::None) {
            self.story = Story::Waits(cold);
        }
        cold.breakdown(&self.birth)
    }

    fn note_health(&mut self, now: Instant) {
        if self.record.health == Health::Healthy {
            self.birth.ready = self.birth.ready.or(Some(now));
        }
    }

    /// Where the time of its cold start went, once: when kubelet calls it ready it has told when the
    /// containers started.
    pub(super) fn ended_story(&mut self) -> Option<Breakdown> {
        let (Story::Waits(cold), PodState::Ready { .. } | PodState::Gone) =
            (self.story, &self.record.state)
        else {
            return None;
        };
        self.story = Story::Told;
        Some(cold.breakdown(&self.birth))
    }

    pub(super) fn is(&self, backend: &Arc<Backend>) -> bool {
        self.backend
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, backend))
    }

    pub(super) fn is_probed(&self, backend: &Arc<Backend>) -> bool {
        self.record.health == Health::Probed && self.is(backend)
    }
}
