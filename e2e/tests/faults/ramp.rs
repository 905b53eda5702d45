//! The autoscaler dies while it is needed most.

use std::time::Duration;

use anyhow::Result;
use e2e::fault::kill_pods;
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use e2e::system::System;
use e2e::wait::{Seen, until};
use k8s_openapi::api::apps::v1::Deployment;

/// For six requests at the same time, of which a pod is to have 1.4.
const PODS: i32 = 5;
const REACHED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn pods_come_though_the_autoscaler_dies_as_the_load_begins() -> Result<()> {
    in_namespace("ramp", async |space| {
        let system = System::of(&space.cluster);
        let wanted = Wanted::answering(space, "app", "here")
            .annotation("autoscaling.knative.dev/target", "2");
        let service = space.deploy(wanted).await?;
        space.at_zero("app").await?;
        let load = Load {
            path: "/?sleep=300".to_owned(),
            ..Load::new(host(&service)?, usize::MAX, 6)
        };
        let load = load.start(space.cluster.gateway);
        ready(space, 1).await?;
        kill_pods(&system.space, "app=autoscaler").await?;
        ready(space, PODS).await?;
        let outcome = load.stop().await?;
        println!("ramp: {outcome}");
        outcome.all_good()?;
        system.complete("autoscaler").await?;
        space.at_zero("app").await
    })
    .await
}

/// Waits until so many pods are ready.
async fn ready(space: &Space, pods: i32) -> Result<()> {
    until(&format!("{pods} pods"), REACHED, async || {
        let deployment = space
            .api::<Deployment>()
            .get("app-00001-deployment")
            .await?;
        let status = deployment.status.unwrap_or_default();
        match status.ready_replicas.unwrap_or(0) {
            ready if ready >= pods => Ok(Seen::Done(())),
            ready => Ok(Seen::NotYet(ready.to_string())),
        }
    })
    .await
}
