//! The class `hpa.autoscaling.knative.dev`: Kubernetes' own autoscaler scales the revision.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::autoscaling::PodAutoscaler;
use crds::networking::{ServerlessService, SksMode};
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::service::Wanted;
use e2e::wait::{Seen, until};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

/// How long a change by hand may stay.
const SCALED: Duration = Duration::from_secs(90);

fn of_the_class(space: &Space, name: &str) -> Wanted {
    Wanted::new(name, space.cluster.hello_image())
        .annotation(
            "autoscaling.knative.dev/class",
            "hpa.autoscaling.knative.dev",
        )
        .annotation("autoscaling.knative.dev/metric", "cpu")
        .annotation("autoscaling.knative.dev/target", "75")
}

/// The name of the newest revision.
fn revision(service: &Service) -> Result<&str> {
    let status = service.status.as_ref();
    let latest = status.and_then(|status| status.latest_ready_revision_name.as_deref());
    latest.context("no revision is ready")
}

#[tokio::test]
async fn a_service_of_the_hpa_class_has_its_least_pods_and_answers() -> Result<()> {
    in_namespace("hpa", async |space| {
        let wanted = of_the_class(space, "steady")
            .annotation("autoscaling.knative.dev/min-scale", "2")
            .annotation("autoscaling.knative.dev/max-scale", "3");
        let service = space.deploy(wanted).await?;
        let revision = revision(&service)?;
        let scaler = space.api::<HorizontalPodAutoscaler>().get(revision).await?;
        let spec = scaler.spec.context("no spec")?;
        ensure!(
            (spec.min_replicas, spec.max_replicas) == (Some(2), 3),
            "{spec:?}"
        );
        let target = &spec.scale_target_ref.name;
        ensure!(*target == format!("{revision}-deployment"), "{target}");
        let path = space.api::<ServerlessService>().get(revision).await?;
        ensure!(
            (path.spec.mode, path.spec.num_activators) == (Some(SksMode::Serve), Some(0)),
            "{:?}",
            path.spec
        );
        let order = space.api::<PodAutoscaler>().get(revision).await?;
        let status = order.status.unwrap_or_default();
        ensure!(status.actual_scale == Some(2), "{status:?}");
        let answer = space.ask(&service, "/").await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_changed_on_the_object_by_hand_is_put_right() -> Result<()> {
    in_namespace("hpa-hand", async |space| {
        let wanted =
            of_the_class(space, "own").annotation("autoscaling.knative.dev/max-scale", "3");
        let service = space.deploy(wanted).await?;
        let revision = revision(&service)?;
        let scalers = space.api::<HorizontalPodAutoscaler>();
        let patch = serde_json::json!({ "spec": { "maxReplicas": 9 } });
        let patch = kube::api::Patch::Merge(patch);
        scalers.patch(revision, &Default::default(), &patch).await?;
        until("the old limit", SCALED, async || {
            let spec = scalers.get(revision).await?.spec.unwrap_or_default();
            match spec.max_replicas {
                3 => Ok(Seen::Done(())),
                other => Ok(Seen::NotYet(other.to_string())),
            }
        })
        .await
    })
    .await
}
