//! The autoscaler that scales a revision dies while load grows: another goes on, and no pod goes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cluster::SYSTEM;
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use e2e::wait::{Seen, until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

const AUTOSCALER: &str = "autoscaler";
const LEASES: &str = "autoscaler-bucket-";
const READY: Duration = Duration::from_secs(60);
/// The death is seen, the lease is taken, and the next holder knows enough of the load to scale.
const SCALED: Duration = Duration::from_secs(30);
const BEFORE: usize = 3;
const AFTER: usize = 5;
/// Requests of half a second, for about a minute.
const PATH: &str = "/?sleep=500";
const EACH: usize = 120;

#[tokio::test]
async fn when_the_owner_of_a_revision_dies_another_scales_it_and_no_pod_goes() -> Result<()> {
    in_namespace("owner", async |space| {
        let system = Space::existing(space.cluster.clone(), SYSTEM);
        replicas(&system, 2).await?;
        let verdict = death(space, &system).await;
        replicas(&system, 1).await?;
        verdict
    })
    .await
}

async fn death(space: &Space, system: &Space) -> Result<()> {
    let wanted = Wanted::answering(space, "ramp", "here")
        .annotation("autoscaling.knative.dev/target", "1")
        .annotation(
            "autoscaling.knative.dev/target-utilization-percentage",
            "100",
        )
        .annotation("autoscaling.knative.dev/max-scale", &AFTER.to_string());
    let service = space.deploy(wanted).await?;
    let load = |connections: usize| {
        let load = Load {
            path: PATH.to_owned(),
            ..Load::new(host(&service)?, EACH * connections, connections)
        };
        anyhow::Ok(tokio::spawn(load.run(space.cluster.gateway)))
    };
    let first = load(BEFORE)?;
    asked(space, "three pods", READY, BEFORE).await?;
    let victim = holder(system).await?;

    let second = load(AFTER - BEFORE)?;
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    system.api::<Pod>().delete(&victim, &params).await?;
    let died = Instant::now();
    let (mut owned, mut resumed, mut fewest) = (None::<Instant>, None, usize::MAX);
    until("five pods are asked for", SCALED, async || {
        if owned.is_none() && holder(system).await.is_ok_and(|holder| holder != victim) {
            owned = Some(Instant::now());
        }
        let pods = asked_now(space).await?;
        fewest = fewest.min(pods);
        if pods > BEFORE && resumed.is_none() {
            resumed = owned.map(|owned| owned.elapsed());
        }
        if pods >= AFTER {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!(
            "{pods} pods, a holder since {owned:?}"
        )))
    })
    .await?;
    println!(
        "{AFTER} pods {:?} after the death, the first of them {resumed:?} after the new holder came",
        died.elapsed()
    );
    ensure!(fewest >= BEFORE, "pods were taken away: {fewest} were left");
    for load in [first, second] {
        load.await?.all_good()?;
    }
    Ok(())
}

/// Waits until the Deployment asks for `least` pods.
async fn asked(space: &Space, what: &str, limit: Duration, least: usize) -> Result<()> {
    until(what, limit, async || {
        let pods = asked_now(space).await?;
        if pods >= least {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{pods} pods")))
    })
    .await
}

/// Pods that the Deployment asks for.
async fn asked_now(space: &Space) -> Result<usize> {
    let deployments = space
        .api::<Deployment>()
        .list(&ListParams::default())
        .await?;
    let deployment = deployments
        .items
        .into_iter()
        .next()
        .context("no Deployment")?;
    let replicas = deployment.spec.and_then(|spec| spec.replicas);
    Ok(usize::try_from(replicas.unwrap_or(1))?)
}

/// The pod that has the autoscaler's first lease.
async fn holder(system: &Space) -> Result<String> {
    let leases = system.api::<Lease>().list(&ListParams::default()).await?;
    let mut ours = leases
        .items
        .into_iter()
        .filter(|lease| lease.name_any().starts_with(LEASES));
    let lease = ours.next().context("the autoscaler has no lease")?;
    let holder = lease
        .spec
        .and_then(|spec| spec.holder_identity)
        .unwrap_or_default();
    let (pod, _) = holder.split_once('_').context("nobody has the lease")?;
    Ok(pod.to_owned())
}

async fn replicas(system: &Space, replicas: i32) -> Result<()> {
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    let deployments = system.api::<Deployment>();
    deployments
        .patch(AUTOSCALER, &PatchParams::default(), &patch)
        .await?;
    system.available(AUTOSCALER, READY).await
}
