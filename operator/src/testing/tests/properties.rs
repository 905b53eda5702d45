//! The four properties, for all reconcilers of a Service.

use crds::service::Service;
use serde_json::{Value, json};

use crate::testing::properties::{
    NAMESPACE, Story, any_write_may_fail, check, image, ready_of, service,
};
use crate::testing::{Cluster, Fault};

/// A Service is applied.
fn creation() -> Story {
    Story::of(vec![juicy(service("hello", &image("hello")))])
}

/// Then it is changed: another image, and a label less.
fn change() -> Story {
    creation().sparing_the_past().then(update)
}

fn juicy(mut service: Value) -> Value {
    service["metadata"]["labels"] = json!({ "juicy": "yes" });
    service
}

fn update(cluster: &Cluster) {
    cluster.edit::<Service>(NAMESPACE, "hello", |service| {
        service["metadata"]["labels"] = json!({});
        service["spec"]["template"]["spec"]["containers"][0]["image"] = image("hello-2").into();
    });
}

#[tokio::test(start_paused = true)]
async fn a_second_process_is_silent_and_neighbours_do_not_matter() {
    let mut story = change().then(|cluster| cluster.delete::<Service>(NAMESPACE, "other"));
    story.objects.push(service("other", &image("other")));
    story.objects.push(service("another", &image("another")));
    let cluster = check(&story).await;
    assert_eq!(ready_of::<Service>(&cluster, "hello"), "True");
    let hello = cluster.get::<Service>(NAMESPACE, "hello").unwrap();
    let latest = hello.status.unwrap().latest_ready_revision_name;
    assert_eq!(latest.as_deref(), Some("hello-00002"));
}

#[tokio::test(start_paused = true)]
async fn any_write_may_fail_to_be_made() {
    any_write_may_fail(&creation(), Fault::Broken).await;
}

#[tokio::test(start_paused = true)]
async fn any_answer_may_be_lost() {
    any_write_may_fail(&creation(), Fault::Lost).await;
}

#[tokio::test(start_paused = true)]
async fn any_write_may_be_in_conflict() {
    any_write_may_fail(&creation(), Fault::Conflict).await;
}

#[tokio::test(start_paused = true)]
async fn any_write_may_be_refused() {
    any_write_may_fail(&creation(), Fault::Refused).await;
}

#[tokio::test(start_paused = true)]
async fn any_write_of_a_change_may_fail_to_be_made() {
    any_write_may_fail(&change(), Fault::Broken).await;
}

#[tokio::test(start_paused = true)]
async fn any_write_of_a_change_may_be_refused() {
    any_write_may_fail(&change(), Fault::Refused).await;
}
