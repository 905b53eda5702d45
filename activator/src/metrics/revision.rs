use std::sync::{Arc, OnceLock};
use std::time::Duration;

use runtime::metrics::{
    Answer, Calls, Count, Exchange, Exchanges, Families, Histogram, Label, Level, OldCounts,
    OldNames,
};

use crate::cold::{Breakdown, Phase};
use crate::revision::{RevisionId, Settings};
use crate::throttle::Throttle;

/// Cold starts take longer than requests: a slow image is beyond 10 s.
const COLD_START_SECONDS: &[f64] = &[
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 120.0,
];
const REQUESTS: OldCounts = OldCounts {
    count: "activator_request_count",
    latencies: "activator_request_latencies",
};
/// As old names call our container.
const CONTAINER: &str = "activator";

/// The metrics of one revision.
#[derive(Debug)]
pub struct RevisionMetrics {
    /// Requests that are being forwarded.
    pub active: Count,
    /// Requests that are here, averaged over the last second.
    pub concurrency: Level,
    id: RevisionId,
    service: String,
    configuration: String,
    line: Arc<Throttle>,
    old: OldNames,
    exchanges: Exchanges<()>,
    calls: Calls,
    cold: OnceLock<Cold>,
}

/// Where the time of cold starts went. Many revisions never have one.
#[derive(Debug)]
struct Cold {
    start: Histogram,
    phases: [Histogram; Phase::ALL.len()],
}

// === impl RevisionMetrics ===

impl RevisionMetrics {
    pub(super) fn new(
        id: RevisionId,
        settings: &Settings,
        line: Arc<Throttle>,
        old: OldNames,
    ) -> Self {
        Self {
            active: Count::default(),
            concurrency: Level::default(),
            id,
            service: settings.service.clone(),
            configuration: settings.configuration.clone(),
            line,
            old,
            exchanges: Exchanges::default(),
            calls: Calls::default(),
            cold: OnceLock::new(),
        }
    }

    /// Whether what is counted here is of the same revision.
    pub(super) fn is_of(&self, settings: &Settings, line: &Arc<Throttle>) -> bool {
        Arc::ptr_eq(&self.line, line)
            && self.service == settings.service
            && self.configuration == settings.configuration
    }

    /// Counts an answered request.
    pub fn answered(&self, exchange: &Exchange) {
        self.exchanges.note(exchange, (), self.old.shown());
    }

    /// Counts what a pod has answered.
    pub fn forwarded(&self, answer: Answer, took: Duration) {
        self.calls.note(answer, took, false);
    }

    /// Counts a request that came while there was no pod, once it was forwarded.
    pub fn cold_started(&self, waited: Duration) {
        self.cold().start.observe(waited.as_secs_f64());
    }

    /// Counts where the time of a pod's cold start went.
    pub fn cold_start_took(&self, breakdown: &Breakdown) {
        let cold = self.cold();
        for ((_, took), phase) in breakdown.phases().zip(&cold.phases) {
            phase.observe(took.as_secs_f64());
        }
    }

    fn cold(&self) -> &Cold {
        let new = || Histogram::new(COLD_START_SECONDS);
        self.cold.get_or_init(|| Cold {
            start: new(),
            phases: std::array::from_fn(|_| new()),
        })
    }

    pub(super) fn show(&self, families: &mut Families) {
        let owner: [Label<'_>; 4] = [
            ("kn_service_name", &self.service),
            ("kn_configuration_name", &self.configuration),
            ("kn_revision_name", self.id.name()),
            ("k8s_namespace_name", self.id.namespace()),
        ];
        let [.., name, namespace] = owner;
        let short = [name, namespace];
        for (family, help, labels, value) in [
            (
                "kn_revision_request_concurrency",
                "Requests in the activator",
                &owner[..],
                self.concurrency.get(),
            ),
            (
                "kn_revision_request_queued",
                "Requests that wait for a pod",
                &short[..],
                self.line.waiting() as f64,
            ),
            (
                "kn_revision_request_active",
                "Requests that are being forwarded",
                &short[..],
                self.active.get(),
            ),
        ] {
            families.gauge(family, help, labels, value);
        }
        self.exchanges.show(families, &owner, |()| None);
        self.calls.show(families, &owner);
        if let Some(cold) = self.cold.get() {
            cold.show(families, &owner, &short);
        }
    }

    pub(super) fn show_old(&self, families: &mut Families, pod: &str) {
        let owner: [Label<'_>; 6] = [
            ("namespace_name", self.id.namespace()),
            ("service_name", &self.service),
            ("configuration_name", &self.configuration),
            ("revision_name", self.id.name()),
            ("pod_name", pod),
            ("container_name", CONTAINER),
        ];
        let help = "Requests in the activator";
        let concurrency = self.concurrency.get();
        families.gauge("activator_request_concurrency", help, &owner, concurrency);
        self.exchanges
            .show_old(families, REQUESTS, &owner, |()| None);
    }
}

// === impl Cold ===

impl Cold {
    fn show(&self, families: &mut Families, owner: &[Label<'_>], short: &[Label<'_>]) {
        let start = self.start.read();
        if start.count() > 0 {
            families.histogram(
                "fermata_cold_start_seconds",
                "Time that requests waited because there was no pod",
                owner,
                &start,
            );
        }
        for (phase, took) in Phase::ALL.into_iter().zip(&self.phases) {
            let took = took.read();
            if took.count() == 0 {
                continue;
            }
            let mut labels = short.to_vec();
            labels.push(("phase", phase.name()));
            families.histogram(
                "fermata_cold_start_phase_seconds",
                "Where the time of cold starts went, once for each pod",
                &labels,
                &took,
            );
        }
    }
}
