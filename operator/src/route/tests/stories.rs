//! The whole process on an API server in memory: a Service whose hosts get certificates.

use crds::certificate::Certificate;
use crds::networking::Ingress;
use crds::route::Route;
use crds::service::Service;
use kube::ResourceExt;
use serde_json::json;

use crate::testing::properties::{NAMESPACE, Story, any_write_may_fail, check, image, service};
use crate::testing::stand_ins::healthy_cluster;
use crate::testing::{Cluster, Fault, Operator};

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
    for (key, value) in [
        ("certificate-class", "quick"),
        ("external-domain-tls", "Enabled"),
        ("cluster-local-domain-tls", "Enabled"),
    ] {
        cluster.configure("config-network", key, value);
    }
    cluster
}

/// A tag comes and goes.
fn tagged() -> Story {
    let story = Story {
        cluster,
        ..Story::of(vec![service("hello", &image("hello"))])
    };
    story
        .then(|cluster| {
            cluster.edit::<Service>(NAMESPACE, "hello", |it| {
                it["spec"]["traffic"] = json!([
                    { "percent": 100, "latestRevision": true },
                    { "tag": "blue", "latestRevision": true },
                ]);
            });
        })
        .then(|cluster| {
            cluster.edit::<Service>(NAMESPACE, "hello", |it| {
                it["spec"]["traffic"] = json!([{ "percent": 100, "latestRevision": true }]);
            });
        })
}

fn hosts(cluster: &Cluster) -> Vec<String> {
    let ingress: Ingress = cluster.get(NAMESPACE, "hello").unwrap();
    ingress
        .spec
        .tls
        .into_iter()
        .flat_map(|it| it.hosts)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_second_process_is_silent_and_neighbours_do_not_matter() {
    let cluster = check(&tagged()).await;
    assert_eq!(
        hosts(&cluster),
        [
            "hello.stories.example.com",
            "hello.stories",
            "hello.stories.svc",
            "hello.stories.svc.cluster.local",
        ]
    );
    let all: Vec<Certificate> = cluster.list();
    assert_eq!(all.len(), 2, "those of the tag are gone");
}

#[tokio::test(start_paused = true)]
async fn any_write_may_be_lost() {
    let plain = Story {
        cluster,
        ..Story::of(vec![service("hello", &image("hello"))])
    };
    any_write_may_fail(&plain, Fault::Lost).await;
}

#[tokio::test(start_paused = true)]
async fn orders_are_told_of_and_come_before_the_ingress() {
    let cluster = cluster();
    cluster.put(service("hello", &image("hello")));
    let mut operator = Operator::start(&cluster).await;
    operator.settled().await;
    let writes = cluster.writes();
    let first = |resource: &str| {
        writes
            .iter()
            .position(|it| it.resource.starts_with(resource))
    };
    assert!(first("certificates.").unwrap() < first("ingresses.").unwrap());
    let uid = cluster
        .get::<Route>(NAMESPACE, "hello")
        .unwrap()
        .uid()
        .unwrap();
    let told = format!("Route/hello Created: Created Certificate stories/route-{uid}");
    let events = operator.events();
    assert!(events.contains(&told), "{events:#?}");

    for step in &tagged().steps {
        step(&cluster);
        operator.settled().await;
    }
    let events = operator.events();
    let gone = "Deleted: Deleted orphaned Knative Certificate stories/route-";
    let gone = events.iter().filter(|it| it.contains(gone)).count();
    assert_eq!(gone, 2, "{events:#?}");
}

/// A wildcard of somebody else's becomes ready: nobody writes to the Route.
#[tokio::test(start_paused = true)]
async fn routes_hear_of_wildcards() {
    let cluster = cluster();
    cluster.configure("config-network", "cluster-local-domain-tls", "Disabled");
    cluster.put(service("hello", &image("hello")));
    let operator = Operator::start(&cluster).await;
    operator.settled().await;
    cluster.put(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
        "metadata": {
            "name": "all", "namespace": NAMESPACE,
            "labels": { "networking.knative.dev/wildcardDomain": "example.com" },
        },
        "spec": { "dnsNames": ["*.stories.example.com"], "secretName": "all" },
    }));
    operator.settled().await;
    let ingress: Ingress = cluster.get(NAMESPACE, "hello").unwrap();
    assert_eq!(ingress.spec.tls[0].secret_name, "all");
}
