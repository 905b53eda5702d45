use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus::{Registry, TextEncoder};
use runtime::metrics::{Answer, Exchange};

use super::{Metrics, RevisionMetrics};
use crate::revision::{RevisionId, Settings};
use crate::throttle::{Budget, Throttle};

struct World {
    registry: Registry,
    metrics: Metrics,
    line: Arc<Throttle>,
    id: RevisionId,
}

impl World {
    fn new() -> Self {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry, "activator-1").unwrap();
        let id = RevisionId::new("shop", "cart-00001");
        let line = Throttle::new(id.clone(), None, Budget::new(1 << 20));
        Self {
            registry,
            metrics,
            line,
            id,
        }
    }

    fn revision(&self, service: &str) -> Arc<RevisionMetrics> {
        let settings = Settings {
            service: service.to_owned(),
            ..Settings::default()
        };
        self.metrics.revision(&self.id, &settings, &self.line)
    }

    fn page(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap()
    }

    #[track_caller]
    fn shows(&self, lines: &[&str]) {
        let text = self.page();
        for line in lines {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}

fn answered(method: &str) -> Exchange {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    Exchange {
        answer: Answer::new(&method, StatusCode::OK),
        took: Duration::from_millis(30),
        request_bytes: Some(0),
        response_bytes: Some(12),
    }
}

#[test]
fn names_and_labels_are_those_of_upstream_and_vanish_with_the_revision() {
    let world = World::new();
    let revision = world.revision("cart");
    revision.active.inc();
    revision.cold_started(Duration::from_millis(700));
    for method in ["GET", "BREW"] {
        revision.answered(&answered(method));
        revision.forwarded(answered(method).answer, Duration::from_millis(3));
    }
    world.shows(&[
        "kn_revision_request_active{k8s_namespace_name=\"shop\",kn_revision_name=\"cart-00001\"} 1",
        "kn_revision_request_queued{k8s_namespace_name=\"shop\",kn_revision_name=\"cart-00001\"} 0",
        "kn_activator_stats_conn_reachable{peer=\"autoscaler\"} 0",
        "http_server_request_duration_seconds_count{http_request_method=\"_OTHER\",http_response_status_code=\"200\"",
        "http_client_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"200\"",
        "http_server_response_body_size_bytes_sum{",
        "fermata_cold_start_seconds_count{",
    ]);
    assert!(!world.page().contains("activator_request_count"));
    world.metrics.forget(&world.id, &revision);
    // Requests that were on their way end later, and bring nothing back.
    revision.answered(&answered("GET"));
    revision.active.dec();
    assert!(!world.page().contains("cart"), "{}", world.page());
}

#[test]
fn old_names_stand_beside_the_current_ones_while_they_are_wanted() {
    let world = World::new();
    let revision = world.revision("cart");
    world.metrics.old.set(true);
    revision.answered(&answered("GET"));
    let of = "configuration_name=\"\",container_name=\"activator\",namespace_name=\"shop\",pod_name=\"activator-1\"";
    world.shows(&[
        &format!(
            "activator_request_count{{{of},response_code=\"200\",response_code_class=\"2xx\",revision_name=\"cart-00001\",service_name=\"cart\"}} 1"
        ),
        &format!(
            "activator_request_concurrency{{{of},revision_name=\"cart-00001\",service_name=\"cart\"}} 0"
        ),
        "service_name=\"cart\",le=\"40\"} 1",
        "http_server_request_duration_seconds_count{",
    ]);
    world.metrics.old.set(false);
    assert!(!world.page().contains("activator_request_"));
}

#[test]
fn counts_go_on_when_a_revision_changes_but_not_under_another_service() {
    let world = World::new();
    world.revision("cart").answered(&answered("GET"));
    world.revision("cart").answered(&answered("GET"));
    world.shows(&["kn_service_name=\"cart\"} 2"]);
    world.revision("basket").answered(&answered("GET"));
    world.shows(&["kn_service_name=\"basket\"} 1"]);
    assert!(!world.page().contains("\"cart\""));
}
