//! The webhook, asked over TLS as the API server asks it.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use e2e::admission::Webhook;
use e2e::load::Outcome;
use e2e::namespace::Space;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::table::Table;

const PATHS: [&str; 2] = ["/defaulting", "/resource-validation"];
const RATE: u32 = 100;
const TIME: Duration = Duration::from_secs(15);
const TIMES: usize = 20;
const MANY: usize = 10_000;

/// A table for the usual object, and one for objects that nobody should send.
pub(crate) async fn measure(space: &Space) -> Result<Vec<Table>> {
    let webhook = Webhook::find(space).await?;
    let usual = review("CREATE", &usual(), &Value::Null);
    // A connection of its own for each of the first requests is not what is measured.
    for path in PATHS {
        let warm = webhook.load(path, usual.clone(), RATE, Duration::from_secs(1));
        warm.await.all_good()?;
    }
    let title = format!("webhook, {RATE} req/s each, ms");
    let mut table = Table::new(title, &["p50", "p90", "p99", "max"]);
    for path in PATHS {
        let outcome = webhook.load(path, usual.clone(), RATE, TIME).await;
        outcome.all_good()?;
        let cells = [50, 90, 99, 100].map(|percent| millis(&outcome, percent));
        table.row(path, cells.to_vec());
    }
    Ok(vec![table, large(&webhook).await?])
}

async fn large(webhook: &Webhook) -> Result<Table> {
    let columns = ["KiB", "default", "max", "validate", "max"];
    let mut table = Table::new("webhook, large objects, ms", &columns);
    for (name, body) in shapes() {
        let mut cells = vec![(body.len() >> 10).to_string()];
        for path in PATHS {
            let mut connection = webhook.connect().await?;
            let mut outcome = Outcome::default();
            for _ in 0..TIMES {
                let start = Instant::now();
                let (status, _) = connection.ask(path, body.clone()).await?;
                ensure!(!status.is_server_error(), "{name}: {status}");
                outcome.latencies.push(start.elapsed());
            }
            outcome.latencies.sort_unstable();
            cells.extend([50, 100].map(|percent| millis(&outcome, percent)));
        }
        table.row(name, cells);
    }
    Ok(table)
}

fn millis(outcome: &Outcome, percent: usize) -> String {
    format!("{:.1}", outcome.percentile(percent).as_secs_f64() * 1000.0)
}

fn shapes() -> Vec<(&'static str, Bytes)> {
    let create = |object: Value| review("CREATE", &object, &Value::Null);
    let long = json!({ "name": "LONG", "value": "x".repeat(1 << 20) });
    let variable = |i: usize| json!({ "name": format!("VARIABLE_{i}"), "value": "some value" });
    let faulty = |i: usize| json!({ "name": "", "value": i.to_string() });
    let unknown = |i: usize| json!({ "name": format!("V{i}"), "unknown": true });
    let mount = |i: usize| json!({ "name": format!("v{i}"), "mountPath": format!("/m/{i}") });
    let volume = |i: usize| json!({ "name": format!("v{i}"), "emptyDir": {} });
    let many =
        |field: &str, item: &dyn Fn(usize) -> Value| with(field, (0..MANY).map(item).collect());
    let mut mounted = many("volumeMounts", &mount);
    mounted["spec"]["template"]["spec"]["volumes"] = (0..MANY).map(volume).collect();
    let huge = with(
        "env",
        json!([{ "name": "A", "value": "x".repeat(5 << 19) }]),
    );
    let old = with(
        "env",
        json!([{ "name": "B", "value": "y".repeat(5 << 19) }]),
    );
    vec![
        ("1 MiB in one variable", create(with("env", json!([long])))),
        ("10,000 variables", create(many("env", &variable))),
        ("10,000 nameless variables", create(many("env", &faulty))),
        ("10,000 unknown fields", create(many("env", &unknown))),
        (
            "10,000 mounts of nothing",
            create(many("volumeMounts", &mount)),
        ),
        ("10,000 mounted volumes", create(mounted)),
        (
            "10,000 variables, all changed",
            review("UPDATE", &many("env", &variable), &many("env", &faulty)),
        ),
        ("10,000 tags", create(tags())),
        (
            "300,000 empty objects",
            create(with("env", vec![json!({}); 30 * MANY].into())),
        ),
        ("100 levels deep", create(with("x", nested(100)))),
        ("100,000 levels deep", deep(100_000)),
        ("5 MiB, old and new", review("UPDATE", &huge, &old)),
    ]
}

/// A Service as people write it.
fn usual() -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": { "name": "hello", "namespace": "default", "labels": { "app": "hello" } },
        "spec": { "template": {
            "metadata": { "annotations": {
                "autoscaling.knative.dev/min-scale": "1",
                "autoscaling.knative.dev/target": "50",
            } },
            "spec": {
                "containerConcurrency": 100,
                "timeoutSeconds": 60,
                "containers": [{
                    "image": "registry.example.com/hello@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                    "ports": [{ "containerPort": 8080 }],
                    "env": [
                        { "name": "TARGET", "value": "World" },
                        { "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
                    ],
                    "resources": { "requests": { "cpu": "100m", "memory": "64Mi" }, "limits": { "memory": "128Mi" } },
                    "readinessProbe": { "httpGet": { "path": "/healthz" } },
                    "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                }],
                "volumes": [{ "name": "data", "emptyDir": {} }],
            },
        } },
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut object = usual();
    object["spec"]["template"]["spec"]["containers"][0][field] = value;
    object
}

fn tags() -> Value {
    let mut object = usual();
    let target =
        |i: usize| json!({ "tag": format!("t{}", i / 2), "revisionName": "hello-1", "percent": 0 });
    object["spec"]["traffic"] = (0..MANY).map(target).collect();
    object
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }))
}

/// Text, because a value so deep can't be written by the library either.
fn deep(levels: usize) -> Bytes {
    let text =
        String::from_utf8_lossy(&review("CREATE", &json!("HERE"), &Value::Null)).into_owned();
    let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    Bytes::from(text.replace("\"HERE\"", &nested))
}

fn review(operation: &str, object: &Value, old: &Value) -> Bytes {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "0d6a7ac4-9f3f-4d29-8a8e-6f7ad2b3a3c1",
            "kind": { "group": "serving.knative.dev", "version": "v1", "kind": "Service" },
            "resource": { "group": "serving.knative.dev", "version": "v1", "resource": "services" },
            "name": "hello",
            "namespace": "default",
            "operation": operation,
            "userInfo": { "username": "somebody", "groups": ["system:authenticated"] },
            "object": object,
            "oldObject": old,
            "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    });
    Bytes::from(review.to_string())
}
