//! A hundred starts from zero, at moments that lie evenly around the one in which the last pod goes: no
//! request is lost between a pod's end and the next one's start.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::namespace::{Space, in_namespace};
use e2e::service::Wanted;
use futures::future::try_join_all;
use tokio::time::{Instant, sleep};

/// Services at the same time, and starts of each.
const SERVICES: usize = 10;
const STARTS: usize = 10;
/// Requests of each, at most: some find the last pod.
const ROUNDS: usize = 4 * STARTS;
/// With the shortest window the last pod goes about nine seconds after the last request.
const PAUSES: (f64, f64) = (5.0, 14.0);
/// Its multiples, less their whole parts, lie evenly between zero and one, and never repeat.
const GOLDEN: f64 = 0.618_033_988_75;

#[tokio::test]
async fn a_hundred_starts_from_zero_at_any_moment_lose_no_request() -> Result<()> {
    in_namespace("restarts", async |space| {
        let services = (0..SERVICES).map(|number| restarts(space, number));
        let slowest = try_join_all(services).await?.into_iter().max();
        println!("{} starts, the slowest {slowest:?}", SERVICES * STARTS);
        Ok(())
    })
    .await
}

/// Asks one Service at different moments after the last request, until it has started often enough. Returns
/// the longest time that an answer took.
async fn restarts(space: &Space, number: usize) -> Result<Duration> {
    let name = format!("app-{number}");
    let wanted = Wanted::answering(space, &name, &name).without_token();
    let service = space.deploy(wanted).await?;
    let (mut starts, mut slowest) = (0, Duration::ZERO);
    for round in 0..ROUNDS {
        let share = ((number * ROUNDS + round) as f64 * GOLDEN).fract();
        let pause = PAUSES.0 + (PAUSES.1 - PAUSES.0) * share;
        sleep(Duration::from_secs_f64(pause)).await;
        let pods = space.pods_of(&name).await?;
        let staying =
            |pod: &&k8s_openapi::api::core::v1::Pod| pod.metadata.deletion_timestamp.is_none();
        let cold = pods.iter().filter(staying).count() == 0;
        let asked = Instant::now();
        let answer = space.ask(&service, "/").await;
        let answer = answer.with_context(|| format!("{name}, {pause:.2} s after the last"))?;
        ensure!(
            answer.status == 200,
            "{name}, {pause:.2} s after the last: {} {}",
            answer.status,
            answer.body
        );
        slowest = slowest.max(asked.elapsed());
        starts += usize::from(cold);
        if starts == STARTS {
            return Ok(slowest);
        }
    }
    anyhow::bail!("{name} started only {starts} times in {ROUNDS} rounds")
}
