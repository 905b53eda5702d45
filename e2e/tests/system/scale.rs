//! How many pods a revision has.

mod bounds;
mod burst;
mod demand;
mod transition;

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::namespace::Space;
use e2e::wait::{Seen, until};
use k8s_openapi::api::apps::v1::Deployment;
use tokio::time::{Instant, sleep};

/// Between two looks of [`keep`].
const LOOK: Duration = Duration::from_millis(250);

/// How many pods of `revision` are ready.
async fn ready(space: &Space, revision: &str) -> Result<i32> {
    let deployment = space
        .api::<Deployment>()
        .get(&format!("{revision}-deployment"))
        .await?;
    let status = deployment.status.unwrap_or_default();
    Ok(status.ready_replicas.unwrap_or(0))
}

/// Waits until that number lies in `range`.
async fn reach(
    space: &Space,
    revision: &str,
    range: RangeInclusive<i32>,
    limit: Duration,
) -> Result<()> {
    until(
        &format!("{range:?} pods of {revision}"),
        limit,
        async || {
            let pods = ready(space, revision).await?;
            if range.contains(&pods) {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(pods.to_string()))
        },
    )
    .await
}

/// Fails if that number leaves `range` within `time`.
async fn keep(
    space: &Space,
    revision: &str,
    range: RangeInclusive<i32>,
    time: Duration,
) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        let pods = ready(space, revision).await?;
        let after = start.elapsed();
        ensure!(
            range.contains(&pods),
            "{pods} pods of {revision} after {after:?}, not {range:?}"
        );
        sleep(LOOK).await;
    }
    Ok(())
}
