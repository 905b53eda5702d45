//! The whole process on an API server in memory: the four properties, the order of writes, what is
//! left at the end.

use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::domain_mapping::DomainMapping;
use crds::networking::Ingress;
use serde_json::{Value, json};

use crate::testing::properties::{NAMESPACE, Story, any_write_may_fail, check, ready_of};
use crate::testing::stand_ins::healthy_cluster;
use crate::testing::{Cluster, Fault, Operator};

pub(super) const DOMAIN: &str = "shop.example.org";

/// A cluster in which mappings claim their domains themselves.
pub(super) fn cluster() -> Cluster {
    let cluster = healthy_cluster();
    cluster.configure("config-network", "autocreate-cluster-domain-claims", "true");
    cluster
}

pub(super) fn mapping() -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1beta1", "kind": "DomainMapping",
        "metadata": { "name": DOMAIN, "namespace": NAMESPACE, "labels": { "b": "1", "a": "2" } },
        "spec": { "ref": {
            "apiVersion": "v1", "kind": "Service", "name": "cart", "namespace": NAMESPACE,
        } },
    })
}

fn cart() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "cart", "namespace": NAMESPACE },
        "spec": { "ports": [{ "port": 80 }] },
    })
}

fn claim(namespace: &str) -> Value {
    json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "ClusterDomainClaim",
        "metadata": { "name": DOMAIN }, "spec": { "namespace": namespace },
    })
}

fn ready(cluster: &Cluster) -> String {
    ready_of::<DomainMapping>(cluster, DOMAIN)
}

fn has_claim(cluster: &Cluster) -> bool {
    cluster.get::<ClusterDomainClaim>("", DOMAIN).is_some()
}

fn has_ingress(cluster: &Cluster) -> bool {
    cluster.get::<Ingress>(NAMESPACE, DOMAIN).is_some()
}

/// A domain is another namespace's and its Service is missing; then the one gets free and the other
/// appears.
fn awaited() -> Story {
    let story = Story {
        cluster,
        ..Story::of(vec![mapping(), claim("other")])
    };
    story
        .then(|cluster| cluster.delete::<ClusterDomainClaim>("", DOMAIN))
        .then(|cluster| cluster.put(cart()))
}

/// A domain is mapped, and then no more.
fn ended() -> Story {
    let story = Story {
        cluster,
        ..Story::of(vec![mapping(), cart()])
    };
    story.then(|cluster| cluster.delete::<DomainMapping>(NAMESPACE, DOMAIN))
}

#[tokio::test(start_paused = true)]
async fn a_second_process_is_silent_and_neighbours_do_not_matter() {
    let cluster = check(&awaited()).await;
    assert_eq!(ready(&cluster), "True");
    let cluster = check(&ended()).await;
    assert!(cluster.get::<DomainMapping>(NAMESPACE, DOMAIN).is_none());
    assert!(!has_claim(&cluster) && !has_ingress(&cluster));
}

#[tokio::test(start_paused = true)]
async fn any_write_may_fail_in_any_way() {
    for fault in [Fault::Broken, Fault::Lost, Fault::Conflict, Fault::Refused] {
        any_write_may_fail(&awaited(), fault).await;
        any_write_may_fail(&ended(), fault).await;
    }
}

/// A cluster with these objects after the operator has looked at them.
async fn settled(cluster: &Cluster, objects: Vec<Value>) -> Operator {
    objects.into_iter().for_each(|object| cluster.put(object));
    let operator = Operator::start(cluster).await;
    operator.settled().await;
    operator
}

fn writes(cluster: &Cluster) -> Vec<String> {
    let writes = cluster.writes().into_iter();
    let ours = writes.filter(|write| write.name == DOMAIN);
    let words = ours.map(|write| {
        let (kind, part) = write
            .resource
            .split_once('/')
            .unwrap_or((&write.resource, ""));
        let plural = kind.split('.').next().unwrap_or_default();
        format!("{} {plural} {part}", write.verb)
            .trim_end()
            .to_owned()
    });
    words.collect()
}

#[tokio::test(start_paused = true)]
async fn the_finalizer_comes_before_the_claim_and_the_claim_before_the_ingress() {
    let cluster = cluster();
    let mut operator = settled(&cluster, vec![mapping(), cart()]).await;
    assert_eq!(ready(&cluster), "True");
    let before = [
        "patch domainmappings",
        "create clusterdomainclaims",
        "apply ingresses",
        "patch domainmappings status",
    ];
    assert_eq!(writes(&cluster)[..4], before);
    let events = [
        "DomainMapping/shop.example.org FinalizerUpdate: Updated \"shop.example.org\" finalizers",
        "DomainMapping/shop.example.org Created: Created Ingress \"shop.example.org\"",
    ];
    assert_eq!(operator.events(), events);

    let made = writes(&cluster).len();
    cluster.delete::<DomainMapping>(NAMESPACE, DOMAIN);
    operator.settled().await;
    let after = [
        "delete ingresses",
        "delete clusterdomainclaims",
        "patch domainmappings",
    ];
    assert_eq!(writes(&cluster)[made..], after);
}

/// Without a target the domain is claimed all the same, as upstream does.
#[tokio::test(start_paused = true)]
async fn a_missing_referent_is_told_once() {
    let cluster = cluster();
    let mut operator = settled(&cluster, vec![mapping()]).await;
    let why = format!("failed to get object {NAMESPACE}/cart: services \"cart\" not found");
    assert_eq!(ready(&cluster), format!("False ResolveFailed: {why}"));
    assert!(has_claim(&cluster) && !has_ingress(&cluster));
    let told = format!("DomainMapping/{DOMAIN} InternalError: resolving reference: {why}");
    assert_eq!(operator.events().last(), Some(&told));
}

/// What serves gives way to whom an administrator gave the domain; with nobody in its place it stays.
#[tokio::test(start_paused = true)]
async fn a_domain_that_changed_hands_is_left_to_its_holder() {
    let cluster = cluster();
    let operator = settled(&cluster, vec![mapping(), cart()]).await;
    cluster.configure(
        "config-network",
        "autocreate-cluster-domain-claims",
        "false",
    );
    cluster.delete::<ClusterDomainClaim>("", DOMAIN);
    operator.settled().await;
    assert!(ready(&cluster).starts_with("False DomainAlreadyClaimed"));
    assert!(has_ingress(&cluster));
    cluster.put(claim("other"));
    operator.settled().await;
    assert!(ready(&cluster).starts_with("False DomainAlreadyClaimed"));
    assert!(!has_ingress(&cluster));
}

#[tokio::test(start_paused = true)]
async fn claims_of_others_and_of_administrators_stay() {
    for (autocreate, holder) in [("true", "other"), ("false", NAMESPACE)] {
        let cluster = cluster();
        cluster.configure(
            "config-network",
            "autocreate-cluster-domain-claims",
            autocreate,
        );
        let operator = settled(&cluster, vec![claim(holder), mapping(), cart()]).await;
        cluster.delete::<DomainMapping>(NAMESPACE, DOMAIN);
        operator.settled().await;
        assert!(cluster.get::<DomainMapping>(NAMESPACE, DOMAIN).is_none());
        assert!(has_claim(&cluster), "{autocreate} {holder}");
    }
}
