//! The whole process on an API server in memory: certificates of namespaces come and go with the
//! settings.

use crds::certificate::Certificate;
use crds::condition::{READY, Truth, find};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::testing::properties::{NAMESPACE, Story, any_write_may_fail, check, image, service};
use crate::testing::stand_ins::healthy_cluster;
use crate::testing::{Cluster, Fault, Operator};

const EVERY: &str = "matchExpressions: [{key: no, operator: DoesNotExist}]";

/// A cluster with an issuer of its own, that is quick.
fn cluster() -> Cluster {
    let cluster = healthy_cluster().with(|hands| {
        for certificate in hands.list::<Certificate>() {
            let status = json!({
                "observedGeneration": certificate.metadata.generation,
                "conditions": [{ "type": "Ready", "status": "True" }],
            });
            hands.put_status(&certificate, status);
        }
    });
    cluster.configure("config-domain", "example.com", "");
    cluster.configure("config-network", "certificate-class", "quick");
    cluster.configure("config-network", "namespace-wildcard-cert-selector", EVERY);
    cluster
}

fn namespace() -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } })
}

fn names(cluster: &Cluster) -> Vec<String> {
    let all: Vec<Certificate> = cluster.list();
    let mut names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
    names.sort();
    names
}

/// Another domain is added, and goes again.
fn wildcards() -> Story {
    let set = |cluster: &Cluster, value| cluster.configure("config-domain", "more.com", value);
    let story = Story {
        cluster,
        ..Story::of(vec![namespace()])
    };
    story
        .then(move |cluster| set(cluster, "{selector: {a: b}, type: wildcard}"))
        .then(move |cluster| set(cluster, "{selector: {a: b}}"))
}

/// The system's own connections are to be encrypted while there is a pod, and then no more.
fn system() -> Story {
    let story = Story {
        cluster,
        ..Story::of(vec![namespace(), service("hello", &image("hello"))])
    };
    story
        .then(|cluster| cluster.configure("config-network", "namespace-wildcard-cert-selector", ""))
        .then(|cluster| cluster.configure("config-network", "system-internal-tls", "Enabled"))
        .then(|cluster| cluster.configure("config-network", "system-internal-tls", "Disabled"))
}

#[tokio::test(start_paused = true)]
async fn a_second_process_is_silent_and_neighbours_do_not_matter() {
    assert_eq!(names(&check(&wildcards()).await), ["stories.example.com"]);
    assert_eq!(names(&check(&system()).await), ["serving-certs"]);
}

#[tokio::test(start_paused = true)]
async fn any_write_may_fail_in_any_way() {
    for fault in [Fault::Broken, Fault::Lost, Fault::Conflict] {
        any_write_may_fail(&wildcards(), fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_made_and_what_goes_is_told() {
    let cluster = cluster();
    cluster.put(namespace());
    let mut operator = Operator::start(&cluster).await;
    operator.settled().await;
    assert_eq!(names(&cluster), ["stories.example.com"]);
    cluster.configure("config-network", "certificate-class", "quicker");
    operator.settled().await;
    let all: Vec<Certificate> = cluster.list();
    let class = &all[0].annotations()["networking.knative.dev/certificate.class"];
    assert_eq!(class, "quicker", "another issuer gets an order of its own");
    let conditions = all[0].status.clone().unwrap().conditions;
    assert!(Truth::of(find(&conditions, READY)).is_true());
    cluster.edit::<Namespace>("", NAMESPACE, |it| {
        it["metadata"]["labels"] = json!({ "no": "" });
    });
    operator.settled().await;
    let events = operator.events();
    let told = |text: &str| events.iter().filter(|it| it.contains(text)).count();
    assert_eq!(
        told("Namespace/stories Created: Created Certificate stories/stories.example.com"),
        2,
        "{events:#?}"
    );
    assert_eq!(
        told("Deleted: Deleted Knative Certificate stories/stories.example.com"),
        1,
        "{events:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_with_its_first_pod_gets_the_systems_certificate() {
    let cluster = cluster();
    cluster.configure("config-network", "system-internal-tls", "Enabled");
    cluster.configure("config-network", "namespace-wildcard-cert-selector", "");
    cluster.put(namespace());
    let system = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "knative-serving" } });
    cluster.put(system);
    let operator = Operator::start(&cluster).await;
    operator.settled().await;
    assert_eq!(names(&cluster), ["routing-serving-certs"]);
    cluster.put(service("hello", &image("hello")));
    operator.settled().await;
    assert_eq!(names(&cluster), ["routing-serving-certs", "serving-certs"]);
}
