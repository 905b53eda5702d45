//! Whom the public core Service of a revision leads to, and how soon a revision is idle.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use crds::networking::{ServerlessService, SksMode};
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::host;
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;

const SOON: Duration = Duration::from_secs(60);
/// scale-to-zero-grace-period, and half of it for all else.
const IDLE: Duration = Duration::from_secs(45);

fn subject(space: &Space, capacity: &str) -> Subject {
    Subject::new(space, "app").annotation("autoscaling.knative.dev/target-burst-capacity", capacity)
}

/// Who stands behind the public Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backends {
    Activators,
    Pods,
}

/// Capacity for a burst of seven is there if two pods for ten have twelve requests, and not if one
/// has seven.
#[tokio::test]
async fn activators_step_aside_while_there_is_capacity_for_a_burst() -> Result<()> {
    in_namespace("burst-some", async |space| {
        // Panic is measured over a tenth of the window.
        let subject = subject(space, "7")
            .annotation("autoscaling.knative.dev/window", "30s")
            .annotation("autoscaling.knative.dev/target", "10");
        let service = space.start(subject).await?;
        let load = |concurrency| Load {
            path: "/?sleep=500".to_owned(),
            ..Load::new(host(&service).unwrap_or_default(), usize::MAX, concurrency)
        };
        let seven = load(7).start(space.cluster.gateway);
        lead_to(space, Backends::Activators).await?;
        let five = load(5).start(space.cluster.gateway);
        space.reach("app-00001", 2..=2, SOON).await?;
        lead_to(space, Backends::Pods).await?;
        let pods = space.addresses("app-00001").await?;
        ensure!(pods == 2, "{pods} addresses");
        for load in [seven, five] {
            load.stop().await?.all_good()?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn activators_stay_when_the_burst_is_endless() -> Result<()> {
    in_namespace("burst-all", async |space| {
        let service = space.start(subject(space, "-1")).await?;
        lead_to(space, Backends::Activators).await?;
        let load = Load {
            path: "/?sleep=200".to_owned(),
            ..Load::new(host(&service)?, 40, 2)
        };
        let load = load.start(space.cluster.gateway);
        space.reach("app-00001", 1..=1, SOON).await?;
        let sks = space.api::<ServerlessService>().get("app-00001").await?;
        ensure!(sks.spec.mode == Some(SksMode::Proxy), "{:?}", sks.spec);
        ensure!(sks.spec.num_activators >= Some(2), "{:?}", sks.spec);
        load.stop().await?.all_good()?;
        lead_to(space, Backends::Activators).await?;
        let start = tokio::time::Instant::now();
        until("no address of a pod", IDLE, async || {
            Ok(match space.addresses("app-00001-private").await? {
                0 => Seen::Done(()),
                some => Seen::NotYet(some.to_string()),
            })
        })
        .await?;
        println!("burst-all: idle after {:?}", start.elapsed());
        lead_to(space, Backends::Activators).await
    })
    .await
}

/// Without a request there is nothing to know, and still the pod goes.
#[tokio::test]
async fn a_revision_without_activators_goes_to_zero_too() -> Result<()> {
    in_namespace("burst-none", async |space| {
        space.start(subject(space, "0")).await?;
        lead_to(space, Backends::Pods).await?;
        space.reach("app-00001", 0..=0, SOON).await?;
        lead_to(space, Backends::Activators).await
    })
    .await
}

async fn lead_to(space: &Space, wanted: Backends) -> Result<()> {
    until(
        &format!("the public Service leads to {wanted:?}"),
        SOON,
        async || {
            let found = space.pods_behind("app-00001").await?;
            let ours = space.api::<Pod>().list(&ListParams::default()).await?;
            let ours: BTreeSet<_> = ours.iter().map(ResourceExt::name_any).collect();
            let activators = found.iter().all(|name| name.starts_with("activator-"));
            let seen = match () {
                () if found.is_empty() => None,
                () if activators => Some(Backends::Activators),
                () if found.is_subset(&ours) => Some(Backends::Pods),
                () => None,
            };
            if seen == Some(wanted) {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{found:?}")))
        },
    )
    .await
}
