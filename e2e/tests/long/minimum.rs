//! The least number of pods, for longer than any window.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::{Space, in_namespace};
use e2e::scenario::transition;
use e2e::subject::Subject;

const LEAST: i32 = 4;
const WHILE: Duration = Duration::from_secs(30);
/// The old revision loses its pods as any idle one does.
const CONVERGED: Duration = Duration::from_mins(3);
/// Two windows.
const BETWEEN: Duration = Duration::from_secs(12);

fn subject(space: &Space, text: &str) -> Subject {
    Subject::new(space, "app")
        .annotation("autoscaling.knative.dev/min-scale", &LEAST.to_string())
        .env("RESOURCE", text)
}

#[tokio::test]
async fn half_a_minute_without_requests_takes_no_pod_below_the_least_number() -> Result<()> {
    in_namespace("least", async |space| {
        space.start(subject(space, "one")).await?;
        space.keep("app-00001", LEAST..=LEAST, WHILE).await?;
        space.start(subject(space, "two")).await?;
        space.keep("app-00002", LEAST..=LEAST, WHILE).await?;
        space.reach("app-00001", 0..=0, CONVERGED).await?;
        space.keep("app-00002", LEAST..=LEAST, WHILE).await
    })
    .await
}

#[tokio::test]
async fn the_old_pods_stay_for_two_windows_after_each_new_one() -> Result<()> {
    in_namespace("transition", async |space| {
        transition::one_by_one(space, LEAST, BETWEEN).await
    })
    .await
}
