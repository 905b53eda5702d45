//! A DomainMapping of a Service of ours, which is moved to another and ends; the four properties hold.

use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::domain_mapping::DomainMapping;
use crds::networking::Ingress;
use kube::ResourceExt;
use serde_json::Value;

use super::stage::{self, DOMAIN};
use crate::testing::properties::{
    NAMESPACE, Story, any_write_may_fail, check, image, ready_of, service,
};
use crate::testing::{Cluster, Fault};

/// The domain leads to the Service `hello`.
fn mapping() -> Value {
    let mut mapping = stage::mapping();
    mapping["spec"]["ref"]["apiVersion"] = "serving.knative.dev/v1".into();
    mapping["spec"]["ref"]["name"] = "hello".into();
    mapping
}

/// A domain is mapped to one Service of several.
fn mapped(services: &[&str]) -> Story {
    let services = services.iter().map(|name| service(name, &image(name)));
    let story = Story {
        cluster: stage::cluster,
        ..Story::of(services.collect())
    };
    story
        .sparing_the_past()
        .then(|cluster| cluster.put(mapping()))
}

/// Then to another.
fn moved() -> Story {
    mapped(&["hello", "other"]).then(|cluster| {
        cluster.edit::<DomainMapping>(NAMESPACE, DOMAIN, |mapping| {
            mapping["spec"]["ref"]["name"] = "other".into();
        });
    })
}

/// Where requests for the domain go.
fn leads_to(cluster: &Cluster) -> Option<String> {
    let ingress = cluster.get::<Ingress>(NAMESPACE, DOMAIN)?;
    let path = ingress.spec.rules.first()?.http.as_ref()?.paths.first()?;
    path.rewrite_host.clone()
}

#[tokio::test(start_paused = true)]
async fn a_second_process_is_silent_and_neighbours_do_not_matter() {
    let cluster = check(&moved()).await;
    assert_eq!(ready_of::<DomainMapping>(&cluster, DOMAIN), "True");
    let host = format!("other.{NAMESPACE}.svc.cluster.local");
    assert_eq!(leads_to(&cluster), Some(host));
}

#[tokio::test(start_paused = true)]
async fn any_write_may_fail_in_any_way() {
    let story = mapped(&["hello"]);
    for fault in [Fault::Broken, Fault::Lost, Fault::Conflict, Fault::Refused] {
        any_write_may_fail(&story, fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_leaves_nothing_whatever_fails() {
    let story = mapped(&["hello"])
        .sparing_the_past()
        .then(|cluster| cluster.delete::<DomainMapping>(NAMESPACE, DOMAIN));
    let cluster = check(&story).await;
    assert!(cluster.list::<ClusterDomainClaim>().is_empty());
    let ingresses = cluster.list::<Ingress>();
    let left: Vec<String> = ingresses.iter().map(ResourceExt::name_any).collect();
    assert_eq!(left, ["hello"]);
    for fault in [Fault::Broken, Fault::Lost] {
        any_write_may_fail(&story, fault).await;
    }
}
