//! What a real Prometheus sees of Fermata, asked as existing dashboards ask: those of
//! knative-extensions/monitoring, before and since Knative 1.19. `make e2e-metrics` runs it.
//!
//! It changes settings that replace pods, so it has the cluster for itself.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use e2e::cluster::Cluster;
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::prometheus::Prometheus;
use e2e::service::{Wanted, host};
use e2e::system::System;
use e2e::wait::{Seen, until};
use kube::api::{Patch, PatchParams};
use serde_json::json;

/// Pods of the service.
const PODS: u32 = 2;
/// Requests of the load, and how many at a time.
const REQUESTS: usize = 200;
const AT_ONCE: usize = 10;
/// How long the app takes for each.
const WORK: Duration = Duration::from_millis(120);
/// How long Prometheus may take to see something: it looks every second.
const SEEN: Duration = Duration::from_secs(30);
const SERVICE: &str = "cart";

/// A query, and what its only value must be.
struct Query {
    what: &'static str,
    query: String,
    right: RangeInclusive<f64>,
}

#[tokio::test]
async fn dashboards_of_today_and_of_before_show_what_happened() -> Result<()> {
    let cluster = Cluster::connect().await?;
    let legacy = [("metrics-compat", "legacy")];
    System::of(&cluster)
        .with_settings("config-observability", &legacy, async || {
            in_namespace("metrics", tell).await
        })
        .await
}

async fn tell(space: &Space) -> Result<()> {
    let count = PODS.to_string();
    let wanted = Wanted::answering(space, SERVICE, "here")
        .annotation("autoscaling.knative.dev/min-scale", &count)
        .annotation("autoscaling.knative.dev/max-scale", &count);
    let service = space.deploy(wanted).await?;
    let prometheus = Prometheus::start(space).await?;
    targets_are_found(&prometheus, &space.name).await?;
    // Rates are made from two values: the first must be there before the load.
    space.ask(&service, "/").await?;
    let first = format!("sum(activator_request_count{{{}}})", old(space));
    settled(&prometheus, &exactly("the first request", first, 1.0)).await?;
    something_to_reconcile(space).await?;
    let load = Load {
        path: format!("/?sleep={}", WORK.as_millis()),
        ..Load::new(host(&service)?, REQUESTS, AT_ONCE)
    };
    let outcome = load.run(space.cluster.gateway).await;
    outcome.all_good()?;
    let ready = space.pods_of(SERVICE).await?.len();
    ensure!(ready == PODS as usize, "{ready} pods");
    for query in today(space).iter().chain(&before(space)) {
        settled(&prometheus, query).await?;
    }
    Ok(())
}

/// Every part and both sidecars are scraped.
async fn targets_are_found(prometheus: &Prometheus, namespace: &str) -> Result<()> {
    for job in ["activator", "autoscaler", "controller", "webhook"] {
        let query = format!("min(up{{job=\"{job}\"}})");
        settled(prometheus, &exactly(job, query, 1.0)).await?;
    }
    let query = format!("sum(up{{job=\"queue-proxy\",namespace=\"{namespace}\"}})");
    settled(prometheus, &exactly("sidecars", query, f64::from(PODS))).await
}

/// A change of the Service that changes nothing else.
async fn something_to_reconcile(space: &Space) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {"example.com/looked-at": "yes"}}});
    let api = space.api::<Service>();
    let params = PatchParams::default();
    api.patch(SERVICE, &params, &Patch::Merge(patch)).await?;
    Ok(())
}

async fn settled(prometheus: &Prometheus, query: &Query) -> Result<()> {
    let value = until(query.what, SEEN, async || {
        let value = prometheus.value(&query.query).await?;
        Ok(if query.right.contains(&value) {
            Seen::Done(value)
        } else {
            Seen::NotYet(format!("{value}, not {:?}", query.right))
        })
    })
    .await
    .with_context(|| query.query.clone())?;
    println!("{:<44} {value:>9.3}  {}", query.what, query.query);
    Ok(())
}

/// Names since Knative 1.19.
fn today(space: &Space) -> Vec<Query> {
    let of = format!(
        "k8s_namespace_name=\"{}\",kn_revision_name=\"{SERVICE}-00001\"",
        space.name
    );
    let reconciler = "name=\"knative.dev.serving.pkg.reconciler.service.Reconciler\"";
    let (pods, sent) = (f64::from(PODS), 1.0 + REQUESTS as f64);
    vec![
        exactly("pods desired", format!("sum(kn_revision_pods_requested{{{of}}})"), pods),
        exactly("pods ready", format!("sum(kn_revision_pods_count{{{of}}})"), pods),
        exactly(
            "requests at the activator",
            format!("sum(http_server_request_duration_seconds_count{{job=\"activator\",{of}}})"),
            sent,
        ),
        exactly(
            "good answers of the app",
            format!("sum(kn_serving_invocation_duration_seconds_count{{{of},http_response_status_code=~\"2..\"}})"),
            sent,
        ),
        within(
            "p95 of the app, seconds",
            format!("histogram_quantile(0.95, sum by (le) (rate(kn_serving_invocation_duration_seconds_bucket{{{of}}}[1m])))"),
            WORK.as_secs_f64()..=0.25,
        ),
        exactly("requests in the activator", format!("sum(kn_revision_request_active{{{of}}})"), 0.0),
        within(
            "depth of a queue",
            format!("sum(kn_workqueue_depth{{{reconciler}}})"),
            0.0..=16.0,
        ),
        within(
            "p90 of the wait in a queue, seconds",
            format!("histogram_quantile(0.90, sum by (le) (rate(kn_workqueue_queue_duration_seconds_bucket{{{reconciler}}}[1m])))"),
            0.0..=1.0,
        ),
        within(
            "services admitted",
            "sum(kn_webhook_handler_duration_seconds_count{kn_webhook_resource_kind=\"Service\",kn_webhook_operation_status=\"success\"})".to_owned(),
            1.0..=f64::MAX,
        ),
    ]
}

/// Names of Knative 1.18 and before.
fn before(space: &Space) -> Vec<Query> {
    let of = old(space);
    let reconciler = "reconciler=\"knative.dev.serving.pkg.reconciler.service.Reconciler\"";
    let (pods, sent) = (f64::from(PODS), REQUESTS as f64);
    let milliseconds = WORK.as_secs_f64() * 1000.0;
    vec![
        exactly(
            "pods asked for",
            format!("sum(autoscaler_requested_pods{{{of}}})"),
            pods,
        ),
        exactly(
            "pods there",
            format!("sum(autoscaler_actual_pods{{{of}}})"),
            pods,
        ),
        within(
            "requests by status in a minute",
            format!("round(sum(increase(activator_request_count{{{of}}}[1m])) by (response_code))"),
            // Prometheus guesses what was before the first value and after the last.
            0.9 * sent..=1.1 * sent,
        ),
        exactly(
            "share of answers that are not 5xx",
            format!(
                "sum(rate(activator_request_count{{response_code_class!=\"5xx\",{of}}}[1m])) / sum(rate(activator_request_count{{{of}}}[1m]))"
            ),
            1.0,
        ),
        within(
            "p95 at the activator, milliseconds",
            format!(
                "label_replace(histogram_quantile(0.95, sum(rate(activator_request_latencies_bucket{{{of}}}[1m])) by (revision_name, le)), \"revision_name\", \"$2\", \"revision_name\", \"{SERVICE}(-+)(.*)\")"
            ),
            milliseconds..=500.0,
        ),
        within(
            "p95 of the app, milliseconds",
            format!(
                "histogram_quantile(0.95, sum(rate(revision_app_request_latencies_bucket{{{of}}}[1m])) by (le))"
            ),
            100.0..=200.0,
        ),
        exactly(
            "requests at the pods",
            format!("sum(revision_request_count{{{of},response_code_class=\"2xx\"}})"),
            1.0 + sent,
        ),
        within(
            "passes over services in a minute",
            format!("sum(60 * rate(controller_reconcile_count{{{reconciler}}}[1m]))"),
            0.1..=f64::MAX,
        ),
    ]
}

fn old(space: &Space) -> String {
    format!(
        "namespace_name=\"{}\",configuration_name=\"{SERVICE}\",revision_name=\"{SERVICE}-00001\"",
        space.name
    )
}

fn exactly(what: &'static str, query: String, value: f64) -> Query {
    within(what, query, value..=value)
}

fn within(what: &'static str, query: String, right: RangeInclusive<f64>) -> Query {
    Query { what, query, right }
}
