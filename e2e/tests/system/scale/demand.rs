//! Pods follow the load, up and down.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Result;
use e2e::load::{Load, Running};
use e2e::namespace::{Space, in_namespace};
use e2e::service::host;
use e2e::subject::Subject;

use super::{keep, reach};

const SOON: Duration = Duration::from_secs(60);
/// Requests at the same time that one pod is to have; 70 % of it are aimed at.
const TARGET: usize = 10;
/// So many pods for so many requests at the same time, and no more than a tenth above.
const STEPS: [(usize, RangeInclusive<i32>); 3] = [(6, 1..=1), (13, 2..=3), (20, 3..=4)];

fn subject(space: &Space, name: &str) -> Subject {
    Subject::new(space, name).annotation("autoscaling.knative.dev/target", &TARGET.to_string())
}

/// So many requests at the same time, each of half a second, until it is stopped.
fn load(space: &Space, host: &str, concurrency: usize) -> Running {
    let load = Load {
        path: "/?sleep=500".to_owned(),
        ..Load::new(host, usize::MAX, concurrency)
    };
    load.start(space.cluster.gateway)
}

#[tokio::test]
async fn pods_come_with_the_load_go_with_it_and_come_again() -> Result<()> {
    in_namespace("updown", async |space| {
        let service = space.start(subject(space, "app")).await?;
        for round in ["first", "again"] {
            let load = load(space, host(&service)?, 13);
            reach(space, "app-00001", 2..=3, SOON).await?;
            keep(space, "app-00001", 2..=3, Duration::from_secs(6)).await?;
            let outcome = load.stop().await?;
            println!("updown: {round}: {outcome}");
            outcome.all_good()?;
            space.at_zero("app").await?;
        }
        Ok(())
    })
    .await
}

/// Young seconds weigh most, so one that is not counted yet is missed: in a long window less.
#[tokio::test]
async fn pods_follow_the_load_if_its_seconds_weigh_differently() -> Result<()> {
    in_namespace("weighted", async |space| {
        let algorithm = "autoscaling.knative.dev/metric-aggregation-algorithm";
        let subject = subject(space, "app")
            .annotation("autoscaling.knative.dev/window", "30s")
            .annotation(algorithm, "weighted-exponential");
        let service = space.start(subject).await?;
        let load = load(space, host(&service)?, 13);
        reach(space, "app-00001", 2..=3, SOON).await?;
        keep(space, "app-00001", 2..=3, Duration::from_secs(6)).await?;
        load.stop().await?.all_good()
    })
    .await
}

#[tokio::test]
async fn more_load_brings_more_pods_step_by_step() -> Result<()> {
    in_namespace("steps", async |space| {
        let service = space.start(subject(space, "app")).await?;
        for (concurrency, pods) in STEPS {
            let load = load(space, host(&service)?, concurrency);
            reach(space, "app-00001", pods.clone(), SOON).await?;
            keep(space, "app-00001", pods, Duration::from_secs(6)).await?;
            load.stop().await?.all_good()?;
        }
        Ok(())
    })
    .await
}

/// Ten requests at the same time of a second each are ten in a second; seven are aimed at.
#[tokio::test]
async fn requests_in_a_second_count_when_they_are_the_measure() -> Result<()> {
    in_namespace("rps", async |space| {
        let subject = subject(space, "app").annotation("autoscaling.knative.dev/metric", "rps");
        let service = space.start(subject).await?;
        let load = Load {
            path: "/?sleep=1000".to_owned(),
            ..Load::new(host(&service)?, usize::MAX, 12)
        };
        let load = load.start(space.cluster.gateway);
        reach(space, "app-00001", 2..=3, SOON).await?;
        keep(space, "app-00001", 2..=3, Duration::from_secs(6)).await?;
        load.stop().await?.all_good()
    })
    .await
}

/// From one pod to eight, and no more than the load is worth while it lasts.
#[tokio::test]
async fn a_great_load_is_sustained() -> Result<()> {
    const CONCURRENCY: usize = 54;
    in_namespace("sustained", async |space| {
        let service = space.start(subject(space, "app")).await?;
        let load = load(space, host(&service)?, CONCURRENCY);
        reach(space, "app-00001", 8..=9, SOON).await?;
        // One less, where chance has a second without two of the requests.
        keep(space, "app-00001", 7..=9, Duration::from_secs(15)).await?;
        let outcome = load.stop().await?;
        println!("sustained: {outcome}");
        outcome.all_good()
    })
    .await
}
