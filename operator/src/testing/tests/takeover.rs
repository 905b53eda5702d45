//! Objects that Knative's own controllers have made.

use crds::configuration::Configuration;
use crds::route::Route;
use crds::service::Service;
use kube::ResourceExt;
use serde_json::json;

use super::said;
use crate::testing::properties::{NAMESPACE, image, service};
use crate::testing::{Cluster, Operator, stand_ins};

/// A cluster with a Service that carries the label `juicy`, all of it made by Knative.
async fn of_knative() -> Cluster {
    let cluster = stand_ins::healthy_cluster();
    let mut hello = service("hello", &image("hello"));
    hello["metadata"]["labels"] = json!({ "juicy": "yes" });
    let scaling = "autoscaling.knative.dev/min-scale";
    hello["spec"]["template"]["metadata"]["annotations"] = json!({ scaling: "1" });
    cluster.put(hello);
    let ours = Operator::start(&cluster).await;
    ours.settled().await;
    ours.stop().await;
    cluster.hand_to_predecessor();
    cluster
}

#[tokio::test(start_paused = true)]
async fn each_deployment_is_updated_once_and_nothing_is_made_anew() {
    let cluster = of_knative().await;
    let before = cluster.writes().len();
    let operator = Operator::start(&cluster).await;
    operator.settled().await;
    let writes = cluster.writes()[before..].to_vec();
    let of = |resource: &str| writes.iter().filter(|it| it.resource == resource).count();
    assert_eq!(of("deployments.apps"), 1, "{writes:#?}");
    assert!(
        writes
            .iter()
            .all(|it| it.verb != "create" && it.verb != "delete"),
        "{writes:#?}"
    );
    assert_eq!(of("revisions.serving.knative.dev/status"), 0, "{writes:#?}");
    assert_eq!(of("services.serving.knative.dev/status"), 0, "{writes:#?}");
    assert_eq!(said::<Service>(&cluster, "hello", "Ready"), "True");
}

#[tokio::test(start_paused = true)]
async fn what_they_had_applied_can_be_taken_away() {
    let cluster = of_knative().await;
    let operator = Operator::start(&cluster).await;
    operator.settled().await;
    cluster.edit::<Service>(NAMESPACE, "hello", |hello| {
        hello["metadata"]["labels"] = json!({});
        hello["spec"]["template"]["metadata"]["annotations"] = json!({});
    });
    operator.settled().await;
    let configuration = cluster.get::<Configuration>(NAMESPACE, "hello").unwrap();
    let route = cluster.get::<Route>(NAMESPACE, "hello").unwrap();
    assert_eq!(configuration.labels().get("juicy"), None);
    assert_eq!(route.labels().get("juicy"), None);
    let template = configuration.spec.template.metadata.unwrap_or_default();
    assert_eq!(template.annotations.unwrap_or_default().len(), 0);
    assert_eq!(route.finalizers(), ["routes.serving.knative.dev"]);
}
