//! Several front doors before pods that take one request at a time.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::host;
use e2e::subject::Subject;
use e2e::system::System;
use serde_json::json;

const DOORS: i32 = 3;
const PODS: u32 = 10;
/// Twenty at each door: there is always a line at each.
const CLIENTS: usize = 60;
const REQUESTS: usize = 900;
const WORK: Duration = Duration::from_millis(200);
/// Percent of the time that the pods must have worked.
const LEAST_USED: u128 = 95;

/// The app answers 500 if two requests ever meet in it.
#[tokio::test]
async fn three_front_doors_keep_ten_pods_busy_and_no_two_requests_meet() -> Result<()> {
    in_namespace("doors", async |space| {
        let system = System::of(&space.cluster);
        system
            .with_replicas("activator", DOORS, async || keep_busy(space).await)
            .await
    })
    .await
}

async fn keep_busy(space: &Space) -> Result<()> {
    let pods = PODS.to_string();
    let subject = Subject::new(space, "doors")
        .annotation("autoscaling.knative.dev/min-scale", &pods)
        .annotation("autoscaling.knative.dev/max-scale", &pods)
        .spec(json!({ "containerConcurrency": 1 }));
    let service = space.start(subject).await?;
    let host = host(&service)?;
    let load = |requests| Load {
        path: format!("/?alone=yes&sleep={}", WORK.as_millis()),
        ..Load::new(host, requests, CLIENTS)
    };
    // Every door has met every pod.
    load(2 * CLIENTS)
        .run(space.cluster.gateway)
        .await
        .all_good()?;
    let outcome = load(REQUESTS).run(space.cluster.gateway).await;
    outcome.all_good()?;
    let worked = WORK * u32::try_from(REQUESTS)? / PODS;
    let used = worked.as_millis() * 100 / outcome.took.as_millis();
    println!("doors: {used} % used: {outcome}");
    ensure!(used <= 100, "two requests were in one pod: {outcome}");
    ensure!(
        used >= LEAST_USED,
        "pods were idle: {used} % used: {outcome}"
    );
    Ok(())
}
