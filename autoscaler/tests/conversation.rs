//! What the autoscaler says to the API server, and in what order.

#[path = "conversation/api.rs"]
mod api;
#[path = "conversation/pods.rs"]
mod pods;
#[path = "conversation/succession.rs"]
mod succession;

use std::sync::Arc;
use std::time::Duration;

use autoscaler::gauges::Gauges;
use autoscaler::hpa;
use autoscaler::id::RevisionId;
use autoscaler::kpa::{self, ClientHandle, Watches, World};
use autoscaler::ledger::Sample;
use autoscaler::peers::Peers;
use crds::config::Settings;
use jiff::Timestamp;
use kube::runtime::watcher;
use kube::{Api as KubeApi, Client};
use prometheus::Registry;
use runtime::kube::lease::{Election, Identity, Sharing};
use runtime::kube::watch::{Watchable, Watched, start};
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use api::{Api, Write};

const PATIENCE: Duration = Duration::from_secs(20);
/// Five of the autoscaler; leases and pods of the election.
const WATCHES: usize = 7;
const SYSTEM: &str = "knative-serving";

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

fn all<K: Watchable>(tasks: &Tasks, client: &Client) -> Watched<K> {
    let everywhere = KubeApi::all(client.clone());
    start(tasks, everywhere, watcher::Config::default())
}

/// A replica of the autoscaler against that server. The first one has the lease when
/// it is returned.
async fn tend(api: Arc<Api>, pod: &'static str) -> (Arc<World>, Tasks) {
    let before = api.watches();
    let (client, tasks) = (api.client(), Tasks::new(Shutdown::default()));
    let (_, settings) = watch::channel(Arc::<Settings>::default());
    let mut election = Election::new(Identity::of_address(pod, "127.0.0.1"), Sharing::Sticky);
    let share = election.enter("autoscaler-bucket-");
    let world = Arc::new(World {
        client: ClientHandle(client.clone()),
        watches: Watches {
            autoscalers: all(&tasks, &client),
            paths: all(&tasks, &client),
            metrics: all(&tasks, &client),
            deployments: all(&tasks, &client),
            pods: all(&tasks, &client),
        },
        settings: settings.clone(),
        share,
        ledger: Arc::default(),
        peers: Arc::new(Peers::new(&Registry::new()).expect("a counter")),
        pods: Arc::default(),
        writers: Arc::new(Semaphore::new(kpa::WRITERS)),
        histories: Arc::default(),
        gauges: Gauges::new(&Registry::new()).expect("gauges"),
        cluster_domain: "cluster.local".to_owned(),
    });
    election.start(&tasks, &client, SYSTEM, settings);
    until("every kind is watched", || {
        api.watches() >= before + WATCHES
    })
    .await;
    tasks.spawn(
        "kpa",
        kpa::run(Arc::clone(&world), tasks.shutdown().clone()),
    );
    until("somebody has the lease", || {
        world.share.holder("ns", "hello").is_some()
    })
    .await;
    (world, tasks)
}

fn id() -> RevisionId {
    RevisionId::new("ns", "hello")
}

fn decisions(world: &World) -> u64 {
    let lines = world.histories.of(&id()).unwrap_or_default();
    lines.iter().map(|line| line.times).sum()
}

/// Returns after four decisions in a row without a write; a tick is among them, and what waited for one
/// is written by then. A settled cluster is silent.
async fn silence(api: &Api, world: &World) {
    let mut last = (0, 0);
    until("four decisions without a write", || {
        let (writes, decided) = (api.writes().len(), decisions(world));
        if writes != last.0 {
            last = (writes, decided);
        }
        decided >= last.1 + 4
    })
    .await;
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
    let api = Api::start(&objects).await;
    let (world, _tasks) = tend(Arc::clone(&api), "autoscaler-7d-a").await;
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

    silence(&api, &world).await;
}

#[tokio::test]
async fn the_first_request_scales_in_one_call_before_any_status() {
    let objects = at_zero();
    let api = Api::start(&objects).await;
    let (world, _tasks) = tend(Arc::clone(&api), "autoscaler-7d-a").await;
    until("the Metric is ready", || {
        api.get("metrics/hello")
            .is_some_and(|metric| metric["status"].is_object())
    })
    .await;
    silence(&api, &world).await;
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

/// A revision with three pods and room for one request in each.
fn at_three() -> Vec<(&'static str, Value)> {
    let [(_, mut autoscaler), _, path] = at_zero();
    let annotations = &mut autoscaler["metadata"]["annotations"];
    annotations["autoscaling.knative.dev/target"] = "1".into();
    for (index, status) in [(0, "True"), (1, "True")] {
        let condition = &mut autoscaler["status"]["conditions"][index];
        condition["status"] = status.into();
        condition["reason"] = "".into();
    }
    let pod_of_ours = json!({
        "metadata": { "namespace": SYSTEM },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }
    });
    let named = |mut pod: Value, name: &str| {
        pod["metadata"]["name"] = name.into();
        pod
    };
    vec![
        ("podautoscalers/hello", autoscaler),
        ("deployments/hello-deployment", deployment(3)),
        path,
        ("pods/hello-a", pod()),
        ("pods/hello-b", named(pod(), "hello-b")),
        ("pods/hello-c", named(pod(), "hello-c")),
        (
            "pods/autoscaler-7d-a",
            named(pod_of_ours.clone(), "autoscaler-7d-a"),
        ),
        (
            "pods/autoscaler-7d-b",
            named(pod_of_ours, "autoscaler-7d-b"),
        ),
    ]
}

/// Numbers of pods that were asked for.
fn scales(api: &Api) -> Vec<u64> {
    let writes = api.writes();
    let scales = writes.iter().filter(|write| write.path.ends_with("/scale"));
    scales
        .filter_map(|write| write.body[0]["value"].as_u64())
        .collect()
}

#[tokio::test]
async fn a_revision_of_the_hpa_class_gets_its_object_once_and_the_kpa_leaves_it_alone() {
    let mut order = autoscaler(&json!({}));
    let annotations = &mut order["metadata"]["annotations"];
    annotations["autoscaling.knative.dev/class"] = "hpa.autoscaling.knative.dev".into();
    annotations["autoscaling.knative.dev/target"] = "75".into();
    let api = Api::start(&[
        ("podautoscalers/hello", order),
        ("deployments/hello-deployment", deployment(1)),
    ])
    .await;
    let (world, _tasks) = tend(Arc::clone(&api), "autoscaler-7d-a").await;
    let (client, tasks) = (api.client(), Tasks::new(Shutdown::default()));
    let before = api.watches();
    let watches = hpa::Watches {
        autoscalers: all(&tasks, &client),
        paths: all(&tasks, &client),
        scalers: all(&tasks, &client),
    };
    until("every kind is watched", || api.watches() >= before + 3).await;
    // One share for both: the lease says who works, not what on.
    let settings = world.settings.clone();
    hpa::start(&tasks, client, &watches, &world.share, settings);
    until("the path is there", || {
        api.get("serverlessservices/hello").is_some()
    })
    .await;
    let path = api.get("serverlessservices/hello").expect("the path");
    assert_eq!(
        (&path["spec"]["mode"], &path["spec"]["numActivators"]),
        (&json!("Serve"), &json!(0))
    );
    api.put("serverlessservices/hello", carried_out(path));
    let mut scaler = api
        .get("horizontalpodautoscalers/hello")
        .expect("the object");
    scaler["status"] = json!({ "currentReplicas": 1, "desiredReplicas": 4 });
    api.put("horizontalpodautoscalers/hello", scaler);
    until("the revision is ready", || {
        let order = api.get("podautoscalers/hello").expect("the order");
        order["status"]["desiredScale"] == 4 && ready(&order) == Some("True".to_owned())
    })
    .await;
    let mut writes = paths(&api.writes())
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    writes.dedup();
    assert_eq!(writes[0], "horizontalpodautoscalers/hello");
    assert!(
        !writes
            .iter()
            .any(|path| path.ends_with("/scale") || path.starts_with("metrics/"))
    );
    assert_eq!(decisions(&world), 0, "not a revision of the KPA");
}

fn ready(object: &Value) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|found| found["type"] == "Ready")?;
    ready["status"].as_str().map(str::to_owned)
}
