//! The HPA class outlives the replica that does its work. It is here, too, that it scales by CPU: beside
//! other tests there is not enough of that.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::fault::{End, end_pod};
use e2e::namespace::{Space, in_namespace};
use e2e::scenario::cpu;
use e2e::service::Wanted;
use e2e::system::System;
use e2e::wait::{Seen, until};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

const AUTOSCALER: &str = "autoscaler-hpa";
const LEASES: &str = "hpaautoscaler.";
/// Kubernetes looks at its autoscalers every 15 s, and measures a new pod half a minute later.
const SCALED: Duration = Duration::from_secs(180);

#[tokio::test]
async fn a_new_revision_of_the_hpa_class_is_scaled_though_the_one_who_did_so_died() -> Result<()> {
    in_namespace("hpa-ha", async |space| {
        let system = System::of(&space.cluster);
        let body = async || succession(space, &system).await;
        system.with_replicas(AUTOSCALER, 2, body).await
    })
    .await
}

async fn succession(space: &Space, system: &System) -> Result<()> {
    let wanted = |text: &str| {
        Wanted::answering(space, "app", text)
            .cpu("10m")
            .annotation(
                "autoscaling.knative.dev/class",
                "hpa.autoscaling.knative.dev",
            )
            .annotation("autoscaling.knative.dev/metric", "cpu")
            .annotation("autoscaling.knative.dev/target", "75")
    };
    space.deploy(wanted("one")).await?;
    let holders = system.holders(LEASES).await?;
    let holder = holders.values().next().context("nobody holds a lease")?;
    end_pod(&system.space, holder, End::Killed).await?;
    let service = space.deploy(wanted("two")).await?;
    let answer = space.ask(&service, "/").await?;
    ensure!(answer.body.trim_end() == "two", "{answer:?}");
    let scalers = space.api::<HorizontalPodAutoscaler>();
    until("the second revision is scaled", SCALED, async || {
        let scaler = scalers.get("app-00002").await?;
        let status = scaler.status.unwrap_or_default();
        match status.desired_replicas {
            1 => Ok(Seen::Done(())),
            other => Ok(Seen::NotYet(other.to_string())),
        }
    })
    .await?;
    let successors = system.holders(LEASES).await?;
    let alive = successors.values().all(|pod| pod != holder);
    ensure!(alive && !successors.is_empty(), "{successors:?}");
    system.complete(AUTOSCALER).await
}

#[tokio::test]
async fn load_on_the_cpu_brings_pods_and_its_end_takes_them() -> Result<()> {
    in_namespace("hpa-cpu", async |space| {
        cpu::up_and_down(space, 3, 1, [SCALED, SCALED]).await
    })
    .await
}
