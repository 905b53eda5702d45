//! Several activators: the end of one is not noticed by those who ask.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::fault::{End, end_pod};
use e2e::load::Prober;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use e2e::system::System;
use e2e::wait::{Seen, until};
use futures::future::try_join_all;
use kube::ResourceExt;

const ACTIVATOR: &str = "activator";
const REPLICAS: i32 = 3;
const PERIOD: Duration = Duration::from_millis(10);
/// Each of them, and then each of those that came for them.
const ENDS: i32 = 2 * REPLICAS;
/// Fewer probes say nothing.
const PROBES: usize = 400;
const SOON: Duration = Duration::from_secs(60);
/// Percent of the probes that the death of each activator in turn may cost at most.
const COST_OF_DEATH: usize = 1;

#[tokio::test]
async fn activators_are_replaced_one_by_one_without_losing_a_request() -> Result<()> {
    replaced("replaced", End::Asked).await
}

#[tokio::test]
async fn the_sudden_death_of_an_activator_costs_few_requests() -> Result<()> {
    replaced("sudden", End::Killed).await
}

async fn replaced(test: &str, end: End) -> Result<()> {
    in_namespace(test, async |space| {
        let system = System::of(&space.cluster);
        system
            .with_replicas(ACTIVATOR, REPLICAS, async || {
                each_in_turn(space, &system, end).await
            })
            .await
    })
    .await
}

async fn each_in_turn(space: &Space, system: &System, end: End) -> Result<()> {
    let capacity = "autoscaling.knative.dev/target-burst-capacity";
    let warm = Wanted::answering(space, "warm", "warm")
        .annotation(capacity, "-1")
        .annotation("autoscaling.knative.dev/min-scale", "1");
    let warm = space.deploy(warm).await?;
    // Each end finds another Service that has never had a pod.
    let cold = (0..ENDS).map(|number| {
        let cold = Wanted::answering(space, &format!("cold-{number}"), "cold")
            .annotation(capacity, "-1")
            .annotation("autoscaling.knative.dev/initial-scale", "0");
        space.deploy(cold)
    });
    let cold = try_join_all(cold).await?;
    let prober = Prober::start(space.cluster.gateway, host(&warm)?, PERIOD);
    let mut pods = Vec::new();
    for cold in &cold {
        if pods.is_empty() {
            pods = system.pods(ACTIVATOR).await?;
        }
        let pod = &pods.pop().context("no activator")?;
        end_pod(&system.space, pod, end).await?;
        let revision = format!("{}-00001", cold.name_any());
        until("nothing leads to it", SOON, async || {
            let behind = space.pods_behind(&revision).await?;
            if behind.contains(pod) {
                return Ok(Seen::NotYet(format!("{behind:?}")));
            }
            Ok(Seen::Done(()))
        })
        .await?;
        let answer = space.ask(cold, "/").await;
        let answer = answer.with_context(|| format!("without {pod}"))?;
        ensure!(answer.status == 200, "from zero without {pod}: {answer:?}");
        system.complete(ACTIVATOR).await?;
    }
    until("those that were ended are gone", SOON, async || {
        let all = system.space.pods("app=activator").await?.len();
        if all == usize::try_from(REPLICAS)? {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{all} pods")))
    })
    .await?;
    let outcome = prober.stop().await?;
    println!("{end:?}: {outcome}");
    let all = outcome.requests();
    ensure!(all >= PROBES, "only {all} probes");
    match end {
        End::Asked => outcome.all_good(),
        End::Killed => {
            ensure!(
                (all - outcome.good()) * 100 <= all * COST_OF_DEATH,
                "{outcome}"
            );
            Ok(())
        }
    }
}
