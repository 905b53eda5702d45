//! Updates that fail, and what becomes of the revisions before them.

use crds::configuration::Configuration;
use crds::revision::Revision;
use crds::service::Service;
use kube::ResourceExt;
use serde_json::json;

use super::{said, with_hello};
use crate::testing::properties::{NAMESPACE, Story, any_write_may_fail, check, image, service};
use crate::testing::stand_ins::{healthy_cluster, pods_fail, scale};
use crate::testing::{Cluster, Fault};

fn update(cluster: &Cluster) {
    cluster.edit::<Service>(NAMESPACE, "hello", |service| {
        service["spec"]["template"]["spec"]["containers"][0]["image"] = image("broken").into();
    });
}

#[tokio::test(start_paused = true)]
async fn a_broken_update_leaves_the_last_good_revision_serving() {
    let (cluster, operator) = with_hello().await;
    scale(&cluster, 0);
    operator.settled().await;
    pods_fail(
        &cluster,
        &json!({ "containerStatuses": [{
        "name": "user-container", "image": "", "imageID": "", "ready": false, "restartCount": 1,
        "lastState": { "terminated": { "exitCode": 1, "message": "boom" } },
    }] }),
    );
    update(&cluster);
    operator.settled().await;

    let exit = "ExitCode1: Container failed with: boom";
    assert_eq!(
        said::<Revision>(&cluster, "hello-00002", "Ready"),
        format!("False {exit}")
    );
    let text = "False RevisionFailed: Revision \"hello-00002\" failed with message: Container failed \
                with: boom.";
    assert_eq!(said::<Configuration>(&cluster, "hello", "Ready"), text);
    assert_eq!(
        said::<Service>(&cluster, "hello", "ConfigurationsReady"),
        text
    );
    assert_eq!(said::<Service>(&cluster, "hello", "Ready"), text);
    assert_eq!(said::<Service>(&cluster, "hello", "RoutesReady"), "True");
    let status = cluster
        .get::<Service>(NAMESPACE, "hello")
        .unwrap()
        .status
        .unwrap();
    assert_eq!(
        status.latest_created_revision_name.as_deref(),
        Some("hello-00002")
    );
    assert_eq!(
        status.latest_ready_revision_name.as_deref(),
        Some("hello-00001")
    );
    assert_eq!(
        status.traffic[0].revision_name.as_deref(),
        Some("hello-00001")
    );
}

/// Nothing is kept that no route leads to.
fn tidy_cluster() -> Cluster {
    let cluster = healthy_cluster();
    for (key, value) in [
        ("retain-since-create-time", "disabled"),
        ("retain-since-last-active-time", "disabled"),
        ("min-non-active-revisions", "0"),
        ("max-non-active-revisions", "0"),
    ] {
        cluster.configure("config-gc", key, value);
    }
    cluster
}

#[tokio::test(start_paused = true)]
async fn a_replaced_revision_is_collected_whatever_fails() {
    let story = Story {
        cluster: tidy_cluster,
        ..Story::of(vec![service("hello", &image("hello"))])
    };
    let story = story.sparing_the_past().then(update);
    let cluster = check(&story).await;
    let left = cluster.list::<Revision>();
    let left: Vec<String> = left.iter().map(ResourceExt::name_any).collect();
    assert_eq!(left, ["hello-00002"]);
    any_write_may_fail(&story, Fault::Broken).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_someone_else_has_is_never_written_to_and_told() {
    let theirs = |kind: &str, name: &str, spec: serde_json::Value| {
        json!({
            "apiVersion": "serving.knative.dev/v1", "kind": kind,
            "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec,
        })
    };
    let template = service("x", &image("x"))["spec"]["template"].clone();
    let traffic = json!({ "traffic": [{ "revisionName": "none", "percent": 100 }] });
    for (object, condition, kind) in [
        (
            theirs("Configuration", "hello", json!({ "template": template })),
            "ConfigurationsReady",
            "Configuration",
        ),
        (theirs("Route", "hello", traffic), "RoutesReady", "Route"),
    ] {
        let cluster = healthy_cluster();
        cluster.put(object);
        cluster.put(service("hello", &image("hello")));
        let operator = crate::testing::Operator::start(&cluster).await;
        operator.settled().await;
        let text =
            format!("False NotOwned: There is an existing {kind} \"hello\" that we do not own.");
        assert_eq!(said::<Service>(&cluster, "hello", condition), text);
        assert_eq!(said::<Service>(&cluster, "hello", "Ready"), text);
        let plural = format!("{}s.serving.knative.dev", kind.to_lowercase());
        let touched = cluster
            .writes()
            .into_iter()
            .any(|it| it.resource == plural && it.verb == "apply");
        assert!(!touched, "{kind}");
    }
}
