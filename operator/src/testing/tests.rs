//! The life of a Service, as one conversation of all reconcilers with the API server.

mod activation;
mod failure;
mod health;
mod properties;
mod takeover;

use crds::condition::{Condition, Truth, find};
use crds::service::Service;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Resource;
use serde::de::DeserializeOwned;

use super::properties::{NAMESPACE, image, service};
use super::{Cluster, Operator, stand_ins};

/// A cluster with the Service `hello` in it, Ready.
async fn with_hello() -> (Cluster, Operator) {
    let cluster = stand_ins::healthy_cluster();
    cluster.put(service("hello", &image("hello")));
    let operator = Operator::start(&cluster).await;
    operator.settled().await;
    assert_eq!(said::<Service>(&cluster, "hello", "Ready"), "True");
    (cluster, operator)
}

/// A condition of an object as text; empty when there is none.
fn said<K>(cluster: &Cluster, name: &str, condition: &str) -> String
where
    K: Resource<DynamicType = ()> + DeserializeOwned + serde::Serialize,
{
    let object = cluster.get::<K>(NAMESPACE, name).unwrap();
    let object = serde_json::to_value(object).unwrap();
    let conditions = object["status"]["conditions"].clone();
    let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap_or_default();
    let found = find(&conditions, condition);
    found.map_or(String::new(), |it| Truth::of(Some(it)).to_string())
}

#[tokio::test(start_paused = true)]
async fn from_apply_to_ready_takes_few_writes() {
    let (cluster, _operator) = with_hello().await;
    let writes = cluster.writes();
    // 30 are needed; passes that know less than was just written make some more.
    assert!(writes.len() <= 36, "{} writes: {writes:#?}", writes.len());
}

#[tokio::test(start_paused = true)]
async fn people_are_told_each_step_once() {
    let (_, mut operator) = with_hello().await;
    let mut events = operator.events();
    events.sort();
    let wanted = [
        "Configuration/hello ConfigurationReady: Configuration becomes ready",
        "Configuration/hello Created: Created Revision \"hello-00001\"",
        "Configuration/hello LatestReadyUpdate: LatestReadyRevisionName updated to \"hello-00001\"",
        "Revision/hello-00001 RevisionReady: Revision becomes ready upon all resources being ready",
        "Route/hello Created: Created Ingress \"hello\"",
        "Route/hello Created: Created placeholder service \"hello\"",
        "Route/hello FinalizerUpdate: Updated \"hello\" finalizers",
        "Service/hello Created: Created Configuration \"hello\"",
        "Service/hello Created: Created Route \"hello\"",
    ];
    assert_eq!(events, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_ends_is_left_in_peace() {
    let (cluster, mut operator) = with_hello().await;
    operator.events();
    let before = cluster.writes().len();
    cluster.terminate(NAMESPACE);
    // The namespace controller deletes all at once, in any order: our children come back to us.
    cluster.delete::<Deployment>(NAMESPACE, "hello-00001-deployment");
    operator.settled().await;
    cluster.delete::<Service>(NAMESPACE, "hello");
    operator.settled().await;
    let writes = cluster.writes()[before..].to_vec();
    assert!(writes.len() <= 8, "{writes:#?}");
    let events = operator.events();
    let loud = events
        .iter()
        .any(|event| event.contains("Failed") || event.contains("Error"));
    assert!(!loud, "{events:?}");
    assert_eq!(cluster.left_in(NAMESPACE), Vec::<String>::new());
}
