//! Pods follow a load of Knative's own tests: six requests at the same time are the limit of a pod, 70 % of
//! which are aimed at, and each takes half a second.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::{Space, in_namespace};
use e2e::scenario::demand::{Demand, Step};
use e2e::subject::Subject;
use serde_json::json;

const LIMIT: usize = 6;
const LINEAR: &str = "linear";
const WEIGHTED: &str = "weighted-exponential";

fn subject(space: &Space) -> Subject {
    let resources = json!({ "requests": { "cpu": "30m", "memory": "20Mi" } });
    Subject::new(space, "app")
        .annotation("autoscaling.knative.dev/window", "30s")
        .container(json!({ "resources": resources }))
}

fn limited(space: &Space, algorithm: &str) -> Subject {
    subject(space)
        .spec(json!({ "containerConcurrency": LIMIT }))
        .annotation(
            "autoscaling.knative.dev/metric-aggregation-algorithm",
            algorithm,
        )
}

/// `requests` that would fill `full` pods: worth as many as it takes to have each at 70 %, and a tenth above.
fn step(requests: usize, full: u16) -> Step {
    let pods = |percent: u16| i32::from((full * percent).div_ceil(70));
    Step::new(requests, pods(100)..=pods(110))
}

fn full(pods: u16) -> Step {
    step(usize::from(pods) * LIMIT, pods)
}

#[tokio::test]
async fn a_minute_of_load_has_its_pods_its_end_takes_them_and_another_brings_them_again()
-> Result<()> {
    minutes("updown-linear", LINEAR).await
}

#[tokio::test]
async fn a_minute_of_load_has_its_pods_if_its_seconds_weigh_differently() -> Result<()> {
    minutes("updown-weighted", WEIGHTED).await
}

async fn minutes(test: &str, algorithm: &str) -> Result<()> {
    in_namespace(test, async |space| {
        let service = space.start(limited(space, algorithm)).await?;
        Demand::new(space, service)
            .up_down_up(&full(2), Duration::from_mins(1))
            .await
    })
    .await
}

#[tokio::test]
async fn two_minutes_of_a_great_load_are_sustained() -> Result<()> {
    sustained("sustained-linear", LINEAR).await
}

#[tokio::test]
async fn two_minutes_of_a_great_load_are_sustained_if_their_seconds_weigh_differently() -> Result<()>
{
    sustained("sustained-weighted", WEIGHTED).await
}

async fn sustained(test: &str, algorithm: &str) -> Result<()> {
    in_namespace(test, async |space| {
        let service = space.start(limited(space, algorithm)).await?;
        Demand::new(space, service)
            .sustained(&full(8), Duration::from_mins(2))
            .await
    })
    .await
}

#[tokio::test]
async fn each_pod_that_the_load_is_worth_comes() -> Result<()> {
    in_namespace("count", async |space| {
        let service = space.start(limited(space, LINEAR)).await?;
        let demand = Demand::new(space, service);
        for pods in 2..=4 {
            demand.sustained(&full(pods), Duration::ZERO).await?;
        }
        Ok(())
    })
    .await
}

/// Requests of half a second: half of them at the same time are so many in a second.
#[tokio::test]
async fn each_pod_that_the_requests_in_a_second_are_worth_comes() -> Result<()> {
    const TARGET: usize = 10;
    in_namespace("count-rps", async |space| {
        let subject = subject(space)
            .annotation("autoscaling.knative.dev/metric", "rps")
            .annotation("autoscaling.knative.dev/target", &TARGET.to_string());
        let service = space.start(subject).await?;
        let demand = Demand::new(space, service);
        for full in 2..=4 {
            let step = step(usize::from(full) * TARGET / 2, full);
            demand.sustained(&step, Duration::ZERO).await?;
        }
        Ok(())
    })
    .await
}
