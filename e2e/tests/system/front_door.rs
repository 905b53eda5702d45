//! What the front door does beside routing: it borrows slots of limited pods, and tells where the time
//! of a cold start went.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::load::Load;
use e2e::metrics::Metrics;
use e2e::namespace::in_namespace;
use e2e::service::{READY, Wanted, host};

const PODS: u32 = 3;
const REQUESTS: usize = 60;
const WORK: Duration = Duration::from_millis(300);

/// Pods that take one request each work through a line, one by one. That none idles meanwhile is for a
/// machine without other work to tell: `faults::slots`.
#[tokio::test]
async fn pods_with_a_limit_of_one_work_through_a_line() -> Result<()> {
    in_namespace("slots", async |space| {
        let mut service = Wanted::answering(space, "slots", "here")
            .annotation("autoscaling.knative.dev/min-scale", &PODS.to_string())
            .annotation("autoscaling.knative.dev/max-scale", &PODS.to_string())
            .build();
        service.spec.template.spec.container_concurrency = Some(1);
        space.apply(&service).await?;
        let service = space.ready("slots", READY).await?;
        let load = Load {
            path: format!("/?sleep={}", WORK.as_millis()),
            ..Load::new(host(&service)?, REQUESTS, REQUESTS)
        };
        let outcome = load.run(space.cluster.gateway).await;
        println!("slots: {outcome}");
        outcome.all_good()?;
        let least = WORK * u32::try_from(REQUESTS)? / PODS;
        ensure!(
            outcome.took >= least,
            "a pod had two requests: {:?} is less than {least:?}",
            outcome.took
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn cold_start_tells_where_its_time_went() -> Result<()> {
    in_namespace("timing", async |space| {
        let wanted = Wanted::answering(space, "timing", "here")
            .annotation("fermata.dev/server-timing", "true");
        let service = space.deploy(wanted).await?;
        space.at_zero("timing").await?;
        let answer = space.ask(&service, "/").await?;
        let timing = answer.headers.get("server-timing");
        let timing = timing.context("no Server-Timing")?.to_str()?;
        println!("timing: {:?}: {timing}", answer.took);
        for phase in ["decide", "schedule", "sandbox", "pull", "start", "ready"] {
            ensure!(
                timing.contains(&format!("{phase};dur=")),
                "no {phase}: {timing}"
            );
        }
        let warm = space.ask(&service, "/").await?;
        ensure!(
            !warm.headers.contains_key("server-timing"),
            "a warm answer tells it"
        );
        e2e::wait::until("the metric of the phases", READY, async || {
            let metrics = Metrics::of(&space.cluster, "activator").await?;
            let counted = metrics.sum("fermata_cold_start_phase_seconds_count");
            Ok(if counted > 0.0 {
                e2e::wait::Seen::Done(())
            } else {
                e2e::wait::Seen::NotYet("no cold start was counted".to_owned())
            })
        })
        .await
    })
    .await
}
