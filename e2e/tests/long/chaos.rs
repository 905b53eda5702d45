//! Leaders are killed again and again, and nobody who uses the system notices.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use e2e::cluster::Cluster;
use e2e::fault::{End, end_pod};
use e2e::namespace::in_namespace;
use e2e::scenario::demand::{Demand, Step};
use e2e::scenario::{calls, rollout, transition, workload};
use e2e::service::SHORT_WINDOW;
use e2e::subject::Subject;
use e2e::system::System;
use tokio::time::sleep;

/// Parts that share work by leases, and what their leases begin with.
const LED: [(&str, &str); 2] = [
    ("controller", "controller."),
    ("autoscaler", "autoscaler-bucket-"),
];
const REPLICAS: i32 = 2;
/// Long enough for the one that is killed to be replaced.
const BETWEEN: Duration = Duration::from_secs(20);
const WHILE: Duration = Duration::from_secs(40);

#[tokio::test]
async fn scaling_rollouts_and_requests_go_on_while_leaders_are_killed() -> Result<()> {
    let system = System::of(&Cluster::connect().await?);
    let [controller, autoscaler] = LED.map(|(part, _)| part);
    let body = async || {
        let body = async || {
            tokio::select! {
                told = stories() => told,
                Err(error) = killing(&system) => Err(error),
            }
        };
        system.with_replicas(autoscaler, REPLICAS, body).await
    };
    system.with_replicas(controller, REPLICAS, body).await
}

/// Ends a leader of each part in turn, for as long as that can be done.
async fn killing(system: &System) -> Result<Infallible> {
    loop {
        for (part, leases) in LED {
            sleep(BETWEEN).await;
            let holders = system.holders(leases).await?;
            if let Some(leader) = holders.values().next() {
                println!("chaos: {part}: {leader} is killed");
                end_pod(&system.space, leader, End::Killed).await?;
            }
        }
    }
}

async fn stories() -> Result<()> {
    futures::try_join!(
        in_namespace("chaos-demand", async |space| {
            let subject =
                Subject::new(space, "app").annotation("autoscaling.knative.dev/target", "10");
            let service = space.start(subject).await?;
            let step = Step::new(13, 2..=3);
            Demand::new(space, service).up_down_up(&step, WHILE).await
        }),
        in_namespace("chaos-rollout", async |space| {
            rollout::gradual(space, WHILE).await
        }),
        in_namespace("chaos-pods", async |space| {
            workload::replaced(space, "app", "-1", 2).await
        }),
        in_namespace("chaos-calls", async |space| {
            calls::up_down_up(space, SHORT_WINDOW, WHILE).await
        }),
        in_namespace("chaos-transition", async |space| {
            transition::one_by_one(space, 2, WHILE / 4).await
        }),
    )?;
    Ok(())
}
