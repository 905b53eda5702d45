//! What holds for every reconciler, checked with one story.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Resource;
use serde_json::{Value, json};

use super::cluster::{Cluster, Fault};
use super::objects::LEASES;
use super::operator::Operator;
use super::stand_ins;

/// A namespace for the objects of a story.
pub(crate) const NAMESPACE: &str = "stories";

/// Something that happens to a cluster.
type Step = Box<dyn Fn(&Cluster)>;

/// What a user does, step by step; the operator settles after each. A story must be the same each
/// time that it is told.
pub(crate) struct Story {
    /// The cluster at the beginning.
    pub(crate) cluster: fn() -> Cluster,
    /// What is there before the operator starts; the order must not matter.
    pub(crate) objects: Vec<Value>,
    /// What happens then.
    pub(crate) steps: Vec<Step>,
    /// Steps whose writes never fail: another story shows that they may.
    pub(crate) spared: usize,
}

impl Story {
    /// A user applies `objects`, in a cluster where all goes well.
    pub(crate) fn of(objects: Vec<Value>) -> Self {
        Self {
            cluster: stand_ins::healthy_cluster,
            objects,
            steps: Vec::new(),
            spared: 0,
        }
    }

    /// Then this happens.
    pub(crate) fn then(mut self, step: impl Fn(&Cluster) + 'static) -> Self {
        self.steps.push(Box::new(step));
        self
    }

    /// In [`any_write_may_fail`], no write fails that comes before the next step.
    pub(crate) fn sparing_the_past(mut self) -> Self {
        self.spared = self.steps.len() + 1;
        self
    }

    async fn play(&self, prepare: impl FnOnce(&Cluster)) -> (Cluster, Operator) {
        let (cluster, operator, _) = self.play_counting(prepare).await;
        (cluster, operator)
    }

    /// Also tells how many writes there were before those that may fail.
    async fn play_counting(&self, prepare: impl FnOnce(&Cluster)) -> (Cluster, Operator, usize) {
        let cluster = (self.cluster)();
        prepare(&cluster);
        let operator = Operator::start(&cluster).await;
        operator.settled().await;
        let mut spared = 0;
        for (number, step) in self.steps.iter().enumerate() {
            if number + 1 == self.spared {
                spared = cluster.writes().len();
            }
            step(&cluster);
            operator.settled().await;
        }
        (cluster, operator, spared)
    }

    async fn played(&self) -> (Cluster, Operator) {
        self.play(|cluster| put(cluster, &self.objects)).await
    }
}

fn put<'a>(cluster: &Cluster, objects: impl IntoIterator<Item = &'a Value>) {
    objects.into_iter().for_each(|it| cluster.put(it.clone()));
}

/// A process that starts on a settled cluster writes nothing, the order in which objects come does
/// not matter, and a malformed neighbour changes nothing. The cluster at the end of the undisturbed
/// story is returned, to be looked at.
///
/// # Panics
/// When one does not hold; names the first object that differs.
pub(crate) async fn check(story: &Story) -> Cluster {
    let (cluster, operator) = story.played().await;
    let end = end_of(&cluster);
    a_second_run_is_silent(&cluster, operator).await;
    the_order_of_objects_does_not_matter(story, &end).await;
    a_malformed_neighbour_changes_nothing(story, &end).await;
    cluster
}

/// Whichever write of the story fails, in the way of `fault`, the end is the same.
///
/// # Panics
/// When it is not; names the write and the first object that differs.
pub(crate) async fn any_write_may_fail(story: &Story, fault: Fault) {
    let undisturbed = |cluster: &Cluster| put(cluster, &story.objects);
    let (cluster, operator, spared) = story.play_counting(undisturbed).await;
    let (end, writes) = (end_of(&cluster), cluster.writes().len());
    drop(operator);
    for nth in spared..writes {
        let prepare = |cluster: &Cluster| {
            put(cluster, &story.objects);
            cluster.fail(nth, fault);
        };
        let (cluster, _operator) = story.play(prepare).await;
        let failed = cluster.writes().get(nth).cloned();
        compare(
            &end,
            &cluster,
            &format!("{fault:?} at write {nth}, {failed:?}"),
        );
    }
}

/// A process that starts on a settled cluster writes nothing, and neither does one that stays.
async fn a_second_run_is_silent(cluster: &Cluster, first: Operator) {
    let before = cluster.writes().len();
    tokio::time::sleep(Duration::from_secs(1200)).await;
    first.stop().await;
    let second = Operator::start(cluster).await;
    second.settled().await;
    let writes = cluster.writes();
    assert_eq!(writes[before..], [], "a second run writes");
}

/// Objects in another order, and stores that hash otherwise.
async fn the_order_of_objects_does_not_matter(story: &Story, end: &End) {
    for turn in 0..4 {
        let mut objects = story.objects.clone();
        objects.rotate_left(turn % story.objects.len().max(1));
        if turn % 2 == 1 {
            objects.reverse();
        }
        let (cluster, _operator) = story.play(|cluster| put(cluster, &objects)).await;
        compare(end, &cluster, &format!("another order, {turn}"));
    }
}

/// An object of every kind that is there at the end, next to it, with a spec that nobody can read.
async fn a_malformed_neighbour_changes_nothing(story: &Story, end: &End) {
    let neighbours: Vec<Value> = end.values().filter_map(malformed).collect();
    assert!(!neighbours.is_empty());
    let prepare = |cluster: &Cluster| {
        put(cluster, &neighbours);
        put(cluster, &story.objects);
    };
    let (cluster, _operator) = story.play(prepare).await;
    compare(end, &cluster, "malformed neighbours");
}

const MALFORMED: &str = "malformed";

fn malformed(object: &Value) -> Option<Value> {
    object.get("spec")?;
    let mut labels = object["metadata"]["labels"].clone();
    if labels.is_null() {
        labels = json!({});
    }
    Some(json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": { "name": MALFORMED, "namespace": NAMESPACE, "labels": labels },
        "spec": "not an object",
    }))
}

/// Everything that is there at the end of a story, by kind and name, without times and versions.
type End = BTreeMap<String, Value>;

fn end_of(cluster: &Cluster) -> End {
    let state = cluster.state.lock();
    let all = state.objects.all();
    let ours = all.filter(|(key, _)| key.name != MALFORMED && key.resource != LEASES);
    let timeless = ours.map(|(key, object)| {
        let name = format!("{} {}/{}", key.resource, key.namespace, key.name);
        (name, timeless(object.clone()))
    });
    timeless.collect()
}

/// Fields that say when, or how often.
const OF_TIME: [&str; 7] = [
    "lastTransitionTime",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "observedGeneration",
    "serving.knative.dev/routingStateModified",
    "networking.internal.knative.dev/rollout",
];

fn timeless(object: Value) -> Value {
    match object {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(key, _)| !OF_TIME.contains(&key.as_str()))
            .map(|(key, value)| (key, timeless(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(timeless).collect(),
        other => other,
    }
}

fn compare(end: &End, cluster: &Cluster, story: &str) {
    let came = end_of(cluster);
    for (name, wanted) in end {
        let found = came.get(name).unwrap_or(&Value::Null);
        assert_eq!(found, wanted, "{story}: {name}");
    }
    let more: Vec<&String> = came
        .keys()
        .filter(|name| !end.contains_key(*name))
        .collect();
    assert!(more.is_empty(), "{story}: there is more: {more:?}");
    assert_observed(cluster, story);
}

/// Nobody speaks of an older generation.
fn assert_observed(cluster: &Cluster, story: &str) {
    let state = cluster.state.lock();
    for (key, object) in state.objects.all() {
        let observed = &object["status"]["observedGeneration"];
        let generation = &object["metadata"]["generation"];
        assert!(
            observed.is_null() || observed == generation,
            "{story}: {key:?} speaks of {observed}"
        );
    }
}

/// A Service that a user applied, as the defaulting webhook leaves it.
pub(crate) fn service(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {
            "name": name, "namespace": NAMESPACE,
            "annotations": {
                "serving.knative.dev/creator": "ann", "serving.knative.dev/lastModifier": "ann",
            },
        },
        "spec": {
            "template": { "spec": {
                "containerConcurrency": 0, "timeoutSeconds": 300, "enableServiceLinks": false,
                "containers": [{
                    "name": "user-container", "image": image,
                    "readinessProbe": { "successThreshold": 1, "tcpSocket": { "port": 0 } },
                    "resources": {},
                }],
            } },
            "traffic": [{ "percent": 100, "latestRevision": true }],
        },
    })
}

/// An image that no registry must be asked for.
pub(crate) fn image(name: &str) -> String {
    let digest = "0123456789abcdef".repeat(4);
    format!("registry.example.com/{name}@sha256:{digest}")
}

/// Ready of an object, as `True`, or `False Reason: message`.
pub(crate) fn ready_of<K>(cluster: &Cluster, name: &str) -> String
where
    K: Resource<DynamicType = ()> + serde::de::DeserializeOwned + serde::Serialize,
{
    let object = cluster.get::<K>(NAMESPACE, name);
    let object = object.map(|it| serde_json::to_value(it).expect("objects serialise"));
    let status = object.map(|mut it| it["status"]["conditions"].take());
    let conditions: Vec<crds::condition::Condition> =
        serde_json::from_value(status.unwrap_or(json!([]))).unwrap_or_default();
    crds::condition::Truth::of(crds::condition::find(&conditions, "Ready")).to_string()
}
