//! What the autoscaler says to the API server, and in what order.

#[path = "conversation/api.rs"]
mod api;

use std::sync::Arc;
use std::time::Duration;

use autoscaler::gauges::Gauges;
use autoscaler::id::RevisionId;
use autoscaler::kpa::{self, ClientHandle, Watches, World};
use autoscaler::ledger::Sample;
use crds::config::Settings;
use jiff::Timestamp;
use kube::runtime::watcher;
use kube::{Api as KubeApi, Client};
use prometheus::Registry;
use runtime::kube::watch::{Watchable, Watched, start};
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use api::{Api, Write};

const PATIENCE: Duration = Duration::from_secs(20);
const KINDS: usize = 5;

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

fn labels() -> Value {
    json!({ "serving.knative.dev/revision": "hello", "serving.knative.dev/service": "hello" })
}

fn autoscaler(status: &Value) -> Value {
    json!({
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1", "kind": "PodAutoscaler",
        "metadata": {
            "name": "hello", "namespace": "ns", "uid": "uid-1", "generation": 1,
            "labels": labels(),
            "annotations": { "fermata.dev/applied": "by-the-operator" }
        },
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-deployment"
            },
            "protocolType": "http1", "reachability": "Reachable"
        },
        "status": status
    })
}

fn deployment(replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "hello-deployment", "namespace": "ns", "labels": labels() },
        "spec": { "replicas": replicas, "selector": {}, "template": {} }
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "hello-a", "namespace": "ns", "labels": labels() },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }
    })
}

fn built() -> Value {
    json!({
        "observedGeneration": 1,
        "serviceName": "hello", "privateServiceName": "hello-private",
        "conditions": [{ "type": "Ready", "status": "True" }]
    })
}

fn carried_out(mut path: Value) -> Value {
    path["status"] = built();
    path
}

/// A revision that went to zero long ago.
fn at_zero() -> [(&'static str, Value); 3] {
    let told = |name: &str, status: &str, reason: &str| {
        let time = "2026-01-01T00:00:00Z";
        json!({ "type": name, "status": status, "reason": reason, "lastTransitionTime": time })
    };
    let conditions = [
        told("Active", "False", "NoTraffic"),
        told("Ready", "False", "NoTraffic"),
        told("SKSReady", "True", ""),
        told("ScaleTargetInitialized", "True", ""),
    ];
    let status = json!({
        "conditions": conditions, "observedGeneration": 1, "desiredScale": 0, "actualScale": 0,
        "serviceName": "hello", "metricsServiceName": "hello-private"
    });
    [
        ("podautoscalers/hello", autoscaler(&status)),
        ("deployments/hello-deployment", deployment(0)),
        (
            "serverlessservices/hello",
            json!({
                "apiVersion": "networking.internal.knative.dev/v1alpha1",
                "kind": "ServerlessService",
                "metadata": {
                    "name": "hello", "namespace": "ns", "generation": 1,
                    "ownerReferences": [{
                        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
                        "kind": "PodAutoscaler", "name": "hello", "uid": "uid-1",
                        "controller": true
                    }]
                },
                "spec": { "objectRef": {}, "protocolType": "http1" },
                "status": built()
            }),
        ),
    ]
}

/// The autoscaler against that server.
async fn tend(api: &Api, client: &Client) -> (Arc<World>, Tasks) {
    fn all<K: Watchable>(tasks: &Tasks, client: &Client) -> Watched<K> {
        start(
            tasks,
            KubeApi::all(client.clone()),
            watcher::Config::default(),
        )
    }
    let tasks = Tasks::new(Shutdown::default());
    let (_, settings) = watch::channel(Arc::<Settings>::default());
    let world = Arc::new(World {
        client: ClientHandle(client.clone()),
        watches: Watches {
            autoscalers: all(&tasks, client),
            paths: all(&tasks, client),
            metrics: all(&tasks, client),
            deployments: all(&tasks, client),
            pods: all(&tasks, client),
        },
        settings,
        ledger: Arc::default(),
        pods: Arc::default(),
        histories: Arc::default(),
        gauges: Gauges::new(&Registry::new()).expect("gauges"),
        cluster_domain: "cluster.local".to_owned(),
    });
    until("every kind is watched", || api.watches() == KINDS).await;
    tasks.spawn(
        "kpa",
        kpa::run(Arc::clone(&world), tasks.shutdown().clone()),
    );
    (world, tasks)
}

fn id() -> RevisionId {
    RevisionId::new("ns", "hello")
}

fn decisions(world: &World) -> u64 {
    let lines = world.histories.of(&id()).unwrap_or_default();
    lines.iter().map(|line| line.times).sum()
}

fn reason(api: &Api) -> String {
    let autoscaler = api.get("podautoscalers/hello").expect("the PodAutoscaler");
    let conditions = autoscaler["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let active = conditions.iter().find(|found| found["type"] == "Active");
    let text = |active: &Value| format!("{} {}", active["status"], active["reason"]);
    active
        .map(text)
        .unwrap_or_default()
        .replace('"', "")
        .trim_end_matches(" null")
        .to_owned()
}

fn paths(writes: &[Write]) -> Vec<&str> {
    writes.iter().map(|write| write.path.as_str()).collect()
}

#[tokio::test]
async fn a_new_revision_is_brought_up_and_then_left_in_peace() {
    let objects = [
        ("podautoscalers/hello", autoscaler(&json!({}))),
        ("deployments/hello-deployment", deployment(1)),
    ];
    let (api, client) = Api::start(&objects).await;
    let (world, _tasks) = tend(&api, &client).await;
    until("the status is stored", || reason(&api) == "Unknown Queued").await;
    assert_eq!(
        paths(&api.writes()),
        ["serverlessservices/hello", "podautoscalers/hello/status"]
    );
    let path = api
        .get("serverlessservices/hello")
        .expect("the ServerlessService");
    assert_eq!(
        (&path["spec"]["mode"], &path["spec"]["numActivators"]),
        (&json!("Proxy"), &json!(3))
    );

    api.put("serverlessservices/hello", carried_out(path));
    until("the Metric is ready", || {
        api.get("metrics/hello")
            .is_some_and(|metric| metric["status"].is_object())
    })
    .await;
    api.put("pods/hello-a", pod());
    until("the revision is active", || reason(&api) == "True").await;
    let status = api.get("podautoscalers/hello").expect("the PodAutoscaler")["status"].clone();
    assert_eq!(
        (&status["actualScale"], &status["desiredScale"]),
        (&json!(1), &json!(-1))
    );

    let before = decisions(&world);
    until("the dust has settled", || decisions(&world) > before).await;
    let (settled, decided) = (api.writes().len(), decisions(&world));
    until("more was decided", || decisions(&world) >= decided + 2).await;
    assert_eq!(
        paths(&api.writes()[settled..]),
        [] as [&str; 0],
        "settled means silent"
    );
}

#[tokio::test]
async fn the_first_request_scales_in_one_call_before_any_status() {
    let objects = at_zero();
    let (api, client) = Api::start(&objects).await;
    let (world, _tasks) = tend(&api, &client).await;
    until("the Metric is ready", || {
        api.get("metrics/hello")
            .is_some_and(|metric| metric["status"].is_object())
    })
    .await;
    let before = decisions(&world);
    until("the dust has settled", || decisions(&world) > before).await;
    assert!(!paths(&api.writes()).contains(&"deployments/hello-deployment/scale"));
    let settled = api.writes().len();

    let asked = Instant::now();
    world.ledger.record(
        id(),
        Sample {
            concurrency: 1.0,
            requests: 1.0,
        },
        Timestamp::now(),
    );
    until("something is written", || api.writes().len() > settled).await;
    let took = asked.elapsed();
    let first = api.writes()[settled].clone();
    assert_eq!(first.path, "deployments/hello-deployment/scale");
    assert_eq!(
        first.body,
        json!([{ "op": "add", "path": "/spec/replicas", "value": 1 }])
    );
    assert!(
        took < Duration::from_millis(500),
        "no tick and no queue in between: {took:?}"
    );
    until("the status follows", || reason(&api) == "Unknown Queued").await;
    let all = api.writes();
    let scales = all
        .iter()
        .filter(|write| write.path.ends_with("/scale"))
        .count();
    assert_eq!(scales, 1, "{:?}", paths(&all));
}
