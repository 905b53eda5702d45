//! What a GitOps tool sees while a Service changes (conventions E3).

use crds::condition::{Truth, find};
use crds::service::Service;

use super::with_hello;
use crate::testing::properties::{NAMESPACE, image};

#[tokio::test(start_paused = true)]
async fn a_service_that_has_changed_is_healthy_again_only_with_the_change() {
    let (cluster, operator) = with_hello().await;
    cluster.edit::<Service>(NAMESPACE, "hello", |service| {
        service["spec"]["template"]["spec"]["containers"][0]["image"] = image("new").into();
    });
    operator.settled().await;
    let mut healthy = 0;
    for service in cluster.versions::<Service>(NAMESPACE, "hello") {
        let status = service.status.unwrap_or_default();
        let is_true = |name: &str| Truth::of(find(&status.conditions, name)).is_true();
        // Who counts conditions, and no generations, must not take the old for the new.
        let all = ["ConfigurationsReady", "RoutesReady", "Ready"]
            .into_iter()
            .all(is_true);
        if all && status.observed_generation == Some(2) {
            let newest = status.latest_ready_revision_name.as_deref();
            assert_eq!(newest, Some("hello-00002"));
            assert_eq!(status.traffic[0].revision_name.as_deref(), newest);
            healthy += 1;
        }
    }
    assert_eq!(healthy, 1, "and then it stays so, without another write");
}
