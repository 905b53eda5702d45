//! Numbers of pods that the author gives.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::revision::Revision;
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{READY, host};
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

fn scaled(space: &Space, bound: &str, pods: u32) -> Subject {
    let annotation = format!("autoscaling.knative.dev/{bound}");
    Subject::new(space, "app").annotation(&annotation, &pods.to_string())
}

#[tokio::test]
async fn a_revision_that_is_reached_keeps_its_least_number_of_pods() -> Result<()> {
    const LEAST: u32 = 3;
    in_namespace("least", async |space| {
        let subject = scaled(space, "min-scale", LEAST);
        space.apply(&subject.clone().build()?).await?;
        let mut before_ready = 0;
        until("Ready", READY, async || {
            let pods = space.addresses("app-00001-private").await?;
            let service = space.ready("app", Duration::ZERO).await;
            if service.is_ok() {
                return Ok(Seen::Done(()));
            }
            before_ready = pods;
            Ok(Seen::NotYet(format!("{pods} addresses")))
        })
        .await?;
        let pods = space.addresses("app-00001-private").await?;
        ensure!(
            pods == LEAST as usize,
            "Ready with {pods} pods, {before_ready} before"
        );
        let status = space.api::<Revision>().get("app-00001").await?.status;
        let status = status.context("no status")?;
        ensure!(status.actual_replicas == Some(3), "{status:?}");
        ensure!(status.desired_replicas == Some(3), "{status:?}");
        // Longer than the window: nobody asks, and nobody goes.
        space
            .keep("app-00001", 3..=3, Duration::from_secs(8))
            .await?;

        space.start(subject.env("RESOURCE", "second")).await?;
        ensure!(
            space.ready_pods("app-00002").await? == 3,
            "the second is Ready too soon"
        );
        space.reach("app-00001", 0..=0, SOON).await?;
        ensure!(
            space.ready_pods("app-00002").await? == 3,
            "the second has lost pods"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_change_of_a_revisions_annotation_counts_at_once() -> Result<()> {
    in_namespace("changed", async |space| {
        space.start(scaled(space, "min-scale", 1)).await?;
        for (least, pods) in [(json!("2"), 2), (json!("3"), 3), (Value::Null, 0)] {
            let annotation = json!({ "autoscaling.knative.dev/min-scale": least });
            let patch = Patch::Merge(json!({ "metadata": { "annotations": annotation } }));
            let api = space.api::<Revision>();
            api.patch("app-00001", &PatchParams::default(), &patch)
                .await?;
            space.reach("app-00001", pods..=pods, SOON).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_revision_may_begin_without_a_pod() -> Result<()> {
    in_namespace("none", async |space| {
        let service = space.start(scaled(space, "initial-scale", 0)).await?;
        let pods = space.pods_of("app").await?;
        ensure!(pods.is_empty(), "{} pods", pods.len());
        space.text(&service, "/").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_revision_is_ready_with_its_first_pods_and_then_scales_as_others_do() -> Result<()> {
    in_namespace("initial", async |space| {
        space
            .apply(&scaled(space, "initial-scale", 3).build()?)
            .await?;
        let mut seen = BTreeSet::new();
        until("Ready", READY, async || {
            let is_ready = space.ready("app", Duration::ZERO).await.is_ok();
            let pods = space.pods_of("app").await?;
            seen.extend(
                pods.iter()
                    .filter(|pod| has_been_ready(pod))
                    .map(ResourceExt::name_any),
            );
            if is_ready {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{seen:?} have been ready")))
        })
        .await?;
        ensure!(seen.len() == 3, "Ready, and {seen:?} have been");
        space.at_zero("app").await?;
        let revision = space.api::<Revision>().get("app-00001").await?;
        let ready = e2e::verdict::truth(&revision, "Ready")?;
        ensure!(ready.is_true(), "at zero: {ready}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_request_onto_zero_brings_as_many_pods_as_it_is_told_to() -> Result<()> {
    in_namespace("activated", async |space| {
        let service = space.start(scaled(space, "activation-scale", 3)).await?;
        space.at_zero("app").await?;
        // It lasts longer than pods take to come.
        let request = space.text(&service, "/?sleep=15000");
        futures::try_join!(request, space.reach("app-00001", 3..=3, SOON))?;
        let status = space.api::<Revision>().get("app-00001").await?.status;
        let desired = status.context("no status")?.desired_replicas;
        ensure!(desired == Some(3), "{desired:?} are wanted");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn no_load_brings_more_pods_than_the_greatest_number() -> Result<()> {
    in_namespace("most", async |space| {
        let subject =
            scaled(space, "max-scale", 2).annotation("autoscaling.knative.dev/target", "1");
        let service = space.start(subject).await?;
        let load = Load {
            path: "/?sleep=100".to_owned(),
            ..Load::new(host(&service)?, usize::MAX, 10)
        };
        let load = load.start(space.cluster.gateway);
        space.reach("app-00001", 2..=2, SOON).await?;
        space
            .keep("app-00001", 2..=2, Duration::from_secs(5))
            .await?;
        ensure!(space.pods_of("app").await?.len() == 2, "more pods than two");
        load.stop().await?.all_good()
    })
    .await
}

/// Leaving pods are ready no more.
fn has_been_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| &status.conditions)
        .flatten();
    let ready = conditions.filter(|it| it.type_ == "Ready" && it.status == "True");
    ready.count() > 0 || pod.metadata.deletion_timestamp.is_some()
}
