//! Pods follow the load, up and down.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::{Space, in_namespace};
use e2e::scenario::demand::{Demand, Step};
use e2e::subject::Subject;

/// Requests at the same time that one pod is to have; 70 % of it are aimed at.
const TARGET: usize = 10;
/// As long as the window: what is seen at its end has nothing of the time before in it.
const WHILE: Duration = Duration::from_secs(6);

/// What is worth two pods, with a tenth of it for chance.
fn two_pods() -> Step {
    Step::new(13, 2..=3)
}

fn subject(space: &Space) -> Subject {
    Subject::new(space, "app").annotation("autoscaling.knative.dev/target", &TARGET.to_string())
}

#[tokio::test]
async fn pods_come_with_the_load_go_with_it_and_come_again() -> Result<()> {
    in_namespace("updown", async |space| {
        let service = space.start(subject(space)).await?;
        Demand::new(space, service)
            .up_down_up(&two_pods(), WHILE)
            .await?;
        space.at_zero("app").await
    })
    .await
}

/// Young seconds weigh most, so one that is not counted yet is missed: in a long window less.
#[tokio::test]
async fn pods_follow_the_load_if_its_seconds_weigh_differently() -> Result<()> {
    in_namespace("weighted", async |space| {
        let algorithm = "autoscaling.knative.dev/metric-aggregation-algorithm";
        let subject = subject(space)
            .annotation("autoscaling.knative.dev/window", "30s")
            .annotation(algorithm, "weighted-exponential");
        let service = space.start(subject).await?;
        Demand::new(space, service)
            .sustained(&two_pods(), WHILE)
            .await
    })
    .await
}

#[tokio::test]
async fn more_load_brings_more_pods_step_by_step() -> Result<()> {
    in_namespace("steps", async |space| {
        let service = space.start(subject(space)).await?;
        let demand = Demand::new(space, service);
        for (requests, pods) in [(6, 1..=1), (13, 2..=3), (20, 3..=4)] {
            demand.sustained(&Step::new(requests, pods), WHILE).await?;
        }
        Ok(())
    })
    .await
}

/// Ten requests at the same time of a second each are ten in a second; seven are aimed at.
#[tokio::test]
async fn requests_in_a_second_count_when_they_are_the_measure() -> Result<()> {
    in_namespace("rps", async |space| {
        let subject = subject(space).annotation("autoscaling.knative.dev/metric", "rps");
        let service = space.start(subject).await?;
        let demand = Demand {
            path: "/?sleep=1000",
            ..Demand::new(space, service)
        };
        demand.sustained(&Step::new(12, 2..=3), WHILE).await
    })
    .await
}

/// From one pod to eight, and no more than the load is worth while it lasts.
#[tokio::test]
async fn a_great_load_is_sustained() -> Result<()> {
    in_namespace("sustained", async |space| {
        let service = space.start(subject(space)).await?;
        Demand::new(space, service)
            .sustained(&Step::new(54, 8..=9), Duration::from_secs(15))
            .await
    })
    .await
}
