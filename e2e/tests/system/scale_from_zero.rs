//! To zero and back: nothing that was asked is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::load::Load;
use e2e::namespace::in_namespace;
use e2e::service::{Wanted, host};
use tokio::time::sleep;

/// `ab -n 1000 -c 200`: a new connection for each request.
#[tokio::test]
async fn a_thousand_requests_onto_zero_are_all_answered() -> Result<()> {
    in_namespace("burst", async |space| {
        let service = space
            .deploy(Wanted::answering(space, "burst", "here"))
            .await?;
        space.at_zero("burst").await?;
        let load = Load {
            keep_alive: false,
            ..Load::new(host(&service)?, 1000, 200)
        };
        let outcome = load.run(space.cluster.gateway).await;
        println!("burst: {outcome}");
        ensure!(
            outcome.requests() == 1000,
            "not a thousand requests: {outcome}"
        );
        outcome.all_good()
    })
    .await
}

/// The moments of asking are spread over kubelet's cycle of one second: a request right after the
/// last pod's end would always meet the same phase of it.
#[tokio::test]
async fn an_idle_service_has_no_pod_and_the_next_request_is_answered_ten_times() -> Result<()> {
    in_namespace("idle", async |space| {
        let service = space
            .deploy(Wanted::answering(space, "idle", "here"))
            .await?;
        for round in 0..10 {
            space.at_zero("idle").await?;
            sleep(Duration::from_millis(round * 370 % 1000)).await;
            let answer = space.ask(&service, "/").await?;
            println!(
                "idle: round {round}: {} after {:?}",
                answer.status, answer.took
            );
            ensure!(
                answer.status == 200,
                "round {round}: {}: {}",
                answer.status,
                answer.body
            );
            ensure!(
                answer.body.trim_end() == "here",
                "round {round}: {:?}",
                answer.body
            );
        }
        Ok(())
    })
    .await
}

/// Requests that come just when the last pod is about to go: before, in the middle of it, after.
#[tokio::test]
async fn a_request_during_the_way_to_zero_is_answered() -> Result<()> {
    in_namespace("edge", async |space| {
        let service = space
            .deploy(Wanted::answering(space, "edge", "here"))
            .await?;
        for step in 0..8 {
            sleep(Duration::from_millis(5500 + step * 400)).await;
            let answer = space.ask(&service, "/").await?;
            ensure!(
                answer.status == 200,
                "step {step}: {}: {}",
                answer.status,
                answer.body
            );
        }
        Ok(())
    })
    .await
}
