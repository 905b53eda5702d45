//! Revisions that Kubernetes' own autoscaler scales by their CPU. The cluster needs a metrics server.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::json;

use crate::namespace::Space;
use crate::scenario::demand::Demand;
use crate::subject::Subject;

/// What a pod asks for, its sidecar included, is this much CPU twice; 75 % of it are aimed at.
const CPU: &str = "10m";
/// Each request fills memory for some milliseconds of CPU, and rests: little load for the machine is much
/// for the pods, and no more with more pods.
const PATH: &str = "/?bloat=8&sleep=50";

/// Load on the CPU brings pods up to `most`, its end takes all but one, `rounds` times. Each may take `up`
/// and `down`: measurements are half a minute old, and Kubernetes looks at them every 15 s.
pub async fn up_and_down(
    space: &Space,
    most: i32,
    rounds: usize,
    [up, down]: [Duration; 2],
) -> Result<()> {
    let service = space.start(subject(space, most)).await?;
    let demand = Demand {
        path: PATH,
        ..Demand::new(space, service)
    };
    let one: RangeInclusive<i32> = 1..=1;
    space.reach("app-00001", one.clone(), down).await?;
    for _ in 0..rounds {
        let load = demand.load(2)?;
        space.reach("app-00001", most..=most, up).await?;
        let outcome = load.stop().await?;
        println!("{}: {most} pods: {outcome}", space.name);
        outcome.all_good()?;
        let scaler = space.api::<HorizontalPodAutoscaler>();
        let status = scaler.get("app-00001").await?.status;
        let measured = status.and_then(|status| status.current_metrics);
        measured.context("the autoscaler shows no measurement")?;
        space.reach("app-00001", one.clone(), down).await?;
    }
    Ok(())
}

fn subject(space: &Space, most: i32) -> Subject {
    Subject::new(space, "app")
        .annotation(
            "autoscaling.knative.dev/class",
            "hpa.autoscaling.knative.dev",
        )
        .annotation("autoscaling.knative.dev/metric", "cpu")
        .annotation("autoscaling.knative.dev/target", "75")
        .annotation("autoscaling.knative.dev/max-scale", &most.to_string())
        .annotation(
            "queue.sidecar.serving.knative.dev/cpu-resource-request",
            CPU,
        )
        .container(json!({ "resources": { "requests": { "cpu": CPU } } }))
}
