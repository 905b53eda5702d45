//! To zero and back: nothing that was asked is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::service::Service;
use e2e::load::Load;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use futures::future::try_join_all;
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
        let services = (0..5).map(async |number| {
            let name = format!("idle-{number}");
            let wanted = Wanted::answering(space, &name, "here");
            let service = space.deploy(wanted).await?;
            for round in [number, number + 5] {
                space.at_zero(&name).await?;
                sleep(Duration::from_millis(round * 370 % 1000)).await;
                woken(space, &service, round).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(services).await?;
        Ok(())
    })
    .await
}

async fn woken(space: &Space, service: &Service, round: u64) -> Result<()> {
    let answer = space.ask(service, "/").await?;
    let (status, body) = (answer.status, answer.body.trim_end());
    println!("idle: round {round}: {status} after {:?}", answer.took);
    ensure!(status == 200, "round {round}: {status}: {body}");
    ensure!(body == "here", "round {round}: {body:?}");
    Ok(())
}

/// Requests that come just when the last pod is about to go: before, in the middle of it, after.
#[tokio::test]
async fn a_request_during_the_way_to_zero_is_answered() -> Result<()> {
    in_namespace("edge", async |space| {
        let services = (0..4).map(async |number| {
            let name = format!("edge-{number}");
            let service = space
                .deploy(Wanted::answering(space, &name, "here"))
                .await?;
            for step in [number, number + 4] {
                sleep(Duration::from_millis(5500 + step * 400)).await;
                let answer = space.ask(&service, "/").await?;
                let (status, body) = (answer.status, answer.body);
                ensure!(status == 200, "step {step}: {status}: {body}");
            }
            anyhow::Ok(())
        });
        try_join_all(services).await?;
        Ok(())
    })
    .await
}
