//! The autoscaler that scales a revision dies while load grows: scaling goes on as soon as another has its
//! lease, and no pod goes.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::fault::{End, end_pod};
use e2e::load::{Load, Running};
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use e2e::system::System;
use e2e::wait::{Seen, until};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use tokio::time::Instant;

const AUTOSCALER: &str = "autoscaler";
const LEASES: &str = "autoscaler-bucket-";
const REACHED: Duration = Duration::from_secs(60);
/// From the moment that a living autoscaler has the lease to its first pod.
const RESUMED: Duration = Duration::from_secs(2);
/// A pod for each request at the same time, and no more than so many.
const MOST: usize = 5;
const PATH: &str = "/?sleep=500";

#[tokio::test]
async fn when_the_owner_of_a_revision_dies_the_other_replica_scales_it_and_no_pod_goes()
-> Result<()> {
    in_namespace("owner", async |space| {
        let system = System::of(&space.cluster);
        let ramp = async || ramp(space, &system, 3).await;
        system.with_replicas(AUTOSCALER, 2, ramp).await
    })
    .await
}

#[tokio::test]
async fn when_the_only_autoscaler_dies_the_next_one_scales_at_once_and_no_pod_goes() -> Result<()> {
    in_namespace("ramp", async |space| {
        let system = System::of(&space.cluster);
        ramp(space, &system, 1).await?;
        system.complete(AUTOSCALER).await
    })
    .await
}

/// From zero to five pods; the autoscaler dies at `before` of them.
async fn ramp(space: &Space, system: &System, before: usize) -> Result<()> {
    let wanted = Wanted::answering(space, "ramp", "here")
        .annotation("autoscaling.knative.dev/target", "1")
        .annotation(
            "autoscaling.knative.dev/target-utilization-percentage",
            "100",
        )
        .annotation("autoscaling.knative.dev/max-scale", &MOST.to_string());
    let service = space.deploy(wanted).await?;
    space.at_zero("ramp").await?;
    let load = |connections: usize| -> Result<Running> {
        let load = Load {
            path: PATH.to_owned(),
            ..Load::new(host(&service)?, usize::MAX, connections)
        };
        Ok(load.start(space.cluster.gateway))
    };
    let first = load(before)?;
    space
        .reach(
            "ramp-00001",
            i32::try_from(before)?..=i32::try_from(MOST)?,
            REACHED,
        )
        .await?;
    let asked = asked(space).await?;
    ensure!(asked == before, "{asked} pods for {before} requests");

    let victim = holder(system).await?;
    let second = load(MOST - before)?;
    end_pod(&system.space, &victim, End::Killed).await?;
    let relief = Relief::watch(space, system, &victim, before).await?;
    println!("killed at {before} pods: {relief}");
    ensure!(relief.fewest >= before, "pods were taken: {relief}");
    ensure!(relief.resumed <= RESUMED, "it took too long: {relief}");
    for load in [first, second] {
        load.stop().await?.all_good()?;
    }
    Ok(())
}

/// How a revision fared after the death of who had scaled it. Times are since then, but for `resumed`.
#[derive(Clone, Copy, Debug)]
struct Relief {
    /// Another had the lease.
    owned: Duration,
    /// One more pod was asked for, after another had the lease.
    resumed: Duration,
    /// All pods were asked for.
    all: Duration,
    /// Fewest pods that were asked for.
    fewest: usize,
}

impl Relief {
    /// Watches until all pods are asked for.
    async fn watch(space: &Space, system: &System, victim: &str, before: usize) -> Result<Self> {
        let died = Instant::now();
        let (mut owned, mut more, mut fewest) = (None, None, usize::MAX);
        until("all pods are asked for", REACHED, async || {
            if owned.is_none() && holder(system).await.is_ok_and(|holder| holder != victim) {
                owned = Some(died.elapsed());
            }
            let pods = asked(space).await?;
            fewest = fewest.min(pods);
            if pods > before {
                more = more.or_else(|| Some(died.elapsed()));
            }
            match pods >= MOST {
                true => Ok(Seen::Done(())),
                false => Ok(Seen::NotYet(format!(
                    "{pods} pods, a holder after {owned:?}"
                ))),
            }
        })
        .await?;
        let owned = owned.context("nobody else got the lease")?;
        let more = more.context("no pod more was asked for")?;
        Ok(Self {
            owned,
            resumed: more.saturating_sub(owned),
            all: died.elapsed(),
            fewest,
        })
    }
}

impl fmt::Display for Relief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            owned,
            resumed,
            all,
            fewest,
        } = self;
        write!(
            f,
            "a new holder after {owned:.1?}, one pod more {resumed:.1?} later, all after {all:.1?}; \
             never fewer than {fewest}"
        )
    }
}

/// Pods that the Deployment asks for.
async fn asked(space: &Space) -> Result<usize> {
    let deployments = space
        .api::<Deployment>()
        .list(&ListParams::default())
        .await?;
    let deployment = deployments.items.into_iter().next();
    let spec = deployment.context("no Deployment")?.spec;
    let replicas = spec.and_then(|spec| spec.replicas);
    Ok(usize::try_from(replicas.unwrap_or(1))?)
}

/// The pod that has the autoscaler's only lease.
async fn holder(system: &System) -> Result<String> {
    let holders = system.holders(LEASES).await?;
    let holder = holders.into_values().next();
    holder.context("nobody has the autoscaler's lease")
}
