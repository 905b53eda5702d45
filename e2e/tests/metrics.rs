//! What needs a metrics server (`e2e/cluster/cluster metrics`): revisions that are scaled by their CPU.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use crds::service::Service;
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{READY, Wanted, host};
use e2e::wait::{Seen, until};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Metrics are 15 s old at most, and Kubernetes looks at them every 15 s.
const SCALED: Duration = Duration::from_secs(180);
/// More than the pods can be asked before the load is stopped.
const REQUESTS: usize = 50_000_000;
const CONNECTIONS: usize = 16;

#[tokio::test]
async fn load_on_the_cpu_brings_pods_and_its_end_takes_them() -> Result<()> {
    in_namespace("hpa-cpu", async |space| {
        let service = busy(space).await?;
        pods(space, "one pod to start with", |pods| pods == 1).await?;
        let load = Load::new(host(&service)?, REQUESTS, CONNECTIONS);
        let load = tokio::spawn(load.run(space.cluster.gateway));
        let grown = pods(space, "three pods under load", |pods| pods == 3).await;
        load.abort();
        grown?;
        let scaler = space.api::<HorizontalPodAutoscaler>();
        let scaler = scaler.list(&Default::default()).await?.items.pop();
        let measured = scaler.and_then(|scaler| scaler.status?.current_metrics);
        measured.context("the autoscaler shows no measurement")?;
        pods(space, "one pod without load", |pods| pods == 1).await
    })
    .await
}

/// A Service that asks for little CPU, so that little load is much.
async fn busy(space: &Space) -> Result<Service> {
    let mut wanted = Wanted::new("busy", space.cluster.hello_image())
        .annotation(
            "autoscaling.knative.dev/class",
            "hpa.autoscaling.knative.dev",
        )
        .annotation("autoscaling.knative.dev/metric", "cpu")
        .annotation("autoscaling.knative.dev/target", "75")
        .annotation("autoscaling.knative.dev/max-scale", "3")
        .annotation("autoscaling.knative.dev/window", "6s")
        .build();
    let containers = &mut wanted.spec.template.spec.pod.containers;
    for container in containers {
        let requests = BTreeMap::from([("cpu".to_owned(), Quantity("10m".to_owned()))]);
        container.resources = Some(ResourceRequirements {
            requests: Some(requests),
            ..ResourceRequirements::default()
        });
    }
    space.apply(&wanted).await?;
    space.ready("busy", READY).await
}

async fn pods(space: &Space, what: &str, enough: impl Fn(usize) -> bool) -> Result<()> {
    until(what, SCALED, async || {
        let pods = space.pods_of("busy").await?;
        let staying = pods
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let count = staying.count();
        if enough(count) {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{count} pods")))
    })
    .await
}
