//! What Prometheus sees (contract/data-plane 5.1). Handles are resolved once per revision: the
//! path of a request makes no labels.

use std::time::Duration;

use http::{Method, StatusCode};
use parking_lot::RwLock;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use crate::cold::{Breakdown, Phase};
use crate::revision::{RevisionId, Settings};

/// The boundaries of upstream, and some more: a slow image is beyond 10 s.
const SECONDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
const COLD_START_SECONDS: [f64; 14] = [
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 120.0,
];
const REVISION: [&str; 4] = [
    "kn_service_name",
    "kn_configuration_name",
    "kn_revision_name",
    "k8s_namespace_name",
];
const SHORT: [&str; 2] = ["kn_revision_name", "k8s_namespace_name"];
const PHASE: [&str; 3] = ["phase", "kn_revision_name", "k8s_namespace_name"];
const PEER: &str = "autoscaler";

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    concurrency: GaugeVec,
    queued: IntGaugeVec,
    active: IntGaugeVec,
    durations: HistogramVec,
    cold_starts: HistogramVec,
    cold_phases: HistogramVec,
    /// Announcements of pods, by what became of them.
    pub announcements: IntCounterVec,
    /// The connection to the autoscaler.
    pub stats: StatsMetrics,
}

/// The connection to the autoscaler, and what went wrong with it.
#[derive(Clone, Debug)]
pub struct StatsMetrics {
    /// 1 while connected.
    pub reachable: IntGauge,
    /// Failed connections and sends.
    pub errors: IntCounter,
    /// Reports that were not sent because the autoscaler was slow or away.
    pub dropped: IntCounter,
}

/// The metrics of one revision.
#[derive(Debug)]
pub struct RevisionMetrics {
    /// Requests that are being forwarded.
    pub active: IntGauge,
    /// Requests that are here, averaged over the last second.
    pub concurrency: Gauge,
    cold_start: Histogram,
    cold_phases: HistogramVec,
    durations: Durations,
}

/// Histograms by method and status, resolved when first seen: their number is bounded by what
/// HTTP knows, and a service has a handful.
#[derive(Debug)]
struct Durations {
    family: HistogramVec,
    revision: [String; 4],
    resolved: RwLock<Vec<(&'static str, StatusCode, Histogram)>>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// When one of them is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let durations = [
            &["http_request_method", "http_response_status_code"],
            &REVISION[..],
        ];
        let metrics = Self {
            concurrency: GaugeVec::new(
                Opts::new(
                    "kn_revision_request_concurrency",
                    "Requests in the activator",
                ),
                &REVISION,
            )?,
            queued: IntGaugeVec::new(
                Opts::new("kn_revision_request_queued", "Requests that wait for a pod"),
                &SHORT,
            )?,
            active: IntGaugeVec::new(
                Opts::new(
                    "kn_revision_request_active",
                    "Requests that are being forwarded",
                ),
                &SHORT,
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new("http_server_request_duration_seconds", "Time of requests")
                    .buckets(SECONDS.to_vec()),
                &durations.concat(),
            )?,
            cold_starts: HistogramVec::new(
                HistogramOpts::new(
                    "fermata_cold_start_seconds",
                    "Time that requests waited because there was no pod",
                )
                .buckets(COLD_START_SECONDS.to_vec()),
                &REVISION,
            )?,
            cold_phases: HistogramVec::new(
                HistogramOpts::new(
                    "fermata_cold_start_phase_seconds",
                    "Where the time of cold starts went, once for each pod",
                )
                .buckets(COLD_START_SECONDS.to_vec()),
                &PHASE,
            )?,
            announcements: IntCounterVec::new(
                Opts::new(
                    "fermata_announcements_total",
                    "Pods that told that they are ready",
                ),
                &["outcome"],
            )?,
            stats: StatsMetrics::new()?,
        };
        metrics.register(registry)?;
        Ok(metrics)
    }

    fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.concurrency.clone()))?;
        registry.register(Box::new(self.queued.clone()))?;
        registry.register(Box::new(self.active.clone()))?;
        registry.register(Box::new(self.durations.clone()))?;
        registry.register(Box::new(self.cold_starts.clone()))?;
        registry.register(Box::new(self.cold_phases.clone()))?;
        registry.register(Box::new(self.announcements.clone()))?;
        registry.register(Box::new(self.stats.reachable.clone()))?;
        registry.register(Box::new(self.stats.errors.clone()))?;
        registry.register(Box::new(self.stats.dropped.clone()))
    }

    /// How many requests of a revision wait.
    pub fn queued(&self, id: &RevisionId) -> IntGauge {
        self.queued.with_label_values(&[id.name(), id.namespace()])
    }

    /// The metrics of a revision.
    pub fn revision(&self, id: &RevisionId, settings: &Settings) -> RevisionMetrics {
        let labels = [
            &settings.service,
            &settings.configuration,
            id.name(),
            id.namespace(),
        ];
        RevisionMetrics {
            active: self.active.with_label_values(&[id.name(), id.namespace()]),
            concurrency: self.concurrency.with_label_values(&labels),
            cold_start: self.cold_starts.with_label_values(&labels),
            cold_phases: self.cold_phases.clone(),
            durations: Durations {
                family: self.durations.clone(),
                revision: labels.map(str::to_owned),
                resolved: RwLock::default(),
            },
        }
    }

    /// Stops showing a revision that is gone.
    pub fn forget(&self, id: &RevisionId, metrics: &RevisionMetrics) {
        let revision = &metrics.durations.revision;
        // An error says that it is not shown, which is what we want.
        let _ = self
            .queued
            .remove_label_values(&[id.name(), id.namespace()]);
        let _ = self
            .active
            .remove_label_values(&[id.name(), id.namespace()]);
        let _ = self.concurrency.remove_label_values(revision);
        let _ = self.cold_starts.remove_label_values(revision);
        for phase in Phase::ALL {
            let labels = [phase.name(), id.name(), id.namespace()];
            let _ = self.cold_phases.remove_label_values(&labels);
        }
        for (method, status, _) in metrics.durations.resolved.read().iter() {
            let labels = metrics.durations.labels(method, *status);
            let _ = self
                .durations
                .remove_label_values(&labels.each_ref().map(String::as_str));
        }
    }
}

// === impl StatsMetrics ===

impl StatsMetrics {
    fn new() -> Result<Self, prometheus::Error> {
        let to_autoscaler =
            |name: &str, help: &str| Opts::new(name, help).const_label("peer", PEER);
        Ok(Self {
            reachable: IntGauge::with_opts(to_autoscaler(
                "kn_activator_stats_conn_reachable",
                "Whether statistics reach the autoscaler",
            ))?,
            errors: IntCounter::with_opts(to_autoscaler(
                "kn_activator_stats_conn_errors_total",
                "Failed connections and sends",
            ))?,
            dropped: IntCounter::with_opts(to_autoscaler(
                "fermata_activator_stats_dropped_total",
                "Reports that were not sent because the autoscaler was slow or away",
            ))?,
        })
    }
}

// === impl RevisionMetrics ===

impl RevisionMetrics {
    /// Counts an answered request.
    pub fn answered(&self, method: &Method, status: StatusCode, took: Duration) {
        self.durations
            .resolve(known(method), status)
            .observe(took.as_secs_f64());
    }

    /// Counts a request that came while there was no pod, once it was forwarded.
    pub fn cold_started(&self, waited: Duration) {
        self.cold_start.observe(waited.as_secs_f64());
    }

    /// Counts where the time of a pod's cold start went.
    pub fn cold_start_took(&self, id: &RevisionId, breakdown: &Breakdown) {
        for (phase, took) in breakdown.phases() {
            let labels = [phase.name(), id.name(), id.namespace()];
            let histogram = self.cold_phases.with_label_values(&labels);
            histogram.observe(took.as_secs_f64());
        }
    }
}

// === impl Durations ===

impl Durations {
    fn resolve(&self, method: &'static str, status: StatusCode) -> Histogram {
        let find = |resolved: &[(&'static str, StatusCode, Histogram)]| {
            let mut all = resolved.iter();
            all.find(|(m, s, _)| *m == method && *s == status)
                .map(|(.., found)| found.clone())
        };
        if let Some(found) = find(&self.resolved.read()) {
            return found;
        }
        let labels = self.labels(method, status);
        let found = self
            .family
            .with_label_values(&labels.each_ref().map(String::as_str));
        let mut resolved = self.resolved.write();
        if find(&resolved).is_none() {
            resolved.push((method, status, found.clone()));
        }
        found
    }

    fn labels(&self, method: &str, status: StatusCode) -> [String; 6] {
        let [service, configuration, name, namespace] = self.revision.clone();
        let (method, status) = (method.to_owned(), status.as_str().to_owned());
        [method, status, service, configuration, name, namespace]
    }
}

/// Methods become labels, and clients can invent methods.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, StatusCode};
    use prometheus::{Registry, TextEncoder};

    use super::Metrics;
    use crate::revision::{RevisionId, Settings};

    fn shown(registry: &Registry) -> String {
        TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap()
    }

    #[test]
    fn names_and_labels_are_those_of_upstream_and_vanish_with_the_revision() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        let id = RevisionId::new("shop", "cart-00001");
        let settings = Settings {
            service: "cart".into(),
            ..Settings::default()
        };
        let revision = metrics.revision(&id, &settings);
        revision.active.inc();
        metrics.queued(&id).inc();
        revision.cold_started(Duration::from_millis(700));
        for method in ["GET", "BREW"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            revision.answered(&method, StatusCode::OK, Duration::from_millis(3));
        }
        let text = shown(&registry);
        for line in [
            "kn_revision_request_active{k8s_namespace_name=\"shop\",kn_revision_name=\"cart-00001\"} 1",
            "kn_revision_request_queued{k8s_namespace_name=\"shop\",kn_revision_name=\"cart-00001\"} 1",
            "kn_activator_stats_conn_reachable{peer=\"autoscaler\"} 0",
            "http_request_method=\"_OTHER\",http_response_status_code=\"200\"",
            "fermata_cold_start_seconds_count{",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        metrics.forget(&id, &revision);
        assert!(!shown(&registry).contains("cart"));
    }
}
