//! The end of each activator in turn, while one Service is asked all the time and another wakes from zero.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use e2e::cluster::SYSTEM;
use e2e::fault::{End, end_pod};
use e2e::load::Prober;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use e2e::system::System;
use e2e::wait::{Seen, until};

const ACTIVATOR: &str = "activator";
const REPLICAS: i32 = 2;
const PERIOD: Duration = Duration::from_millis(10);
/// Fewer probes say nothing.
const PROBES: usize = 400;
const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn no_request_is_lost_while_each_activator_is_asked_to_leave() -> Result<()> {
    ended("ha-asked", End::Asked).await
}

#[tokio::test]
async fn of_a_hundred_requests_not_two_are_lost_while_each_activator_is_killed() -> Result<()> {
    ended("ha-killed", End::Killed).await
}

async fn ended(test: &str, end: End) -> Result<()> {
    in_namespace(test, async |space| {
        let system = System::of(&space.cluster);
        let body = async || each_in_turn(space, &system, end).await;
        system.with_replicas(ACTIVATOR, REPLICAS, body).await
    })
    .await
}

async fn each_in_turn(space: &Space, system: &System, end: End) -> Result<()> {
    let behind_activators = |name: &str| {
        Wanted::answering(space, name, name)
            .annotation("autoscaling.knative.dev/target-burst-capacity", "-1")
    };
    let warm = behind_activators("warm").annotation("autoscaling.knative.dev/min-scale", "1");
    let warm = space.deploy(warm).await?;
    let cold = space.deploy(behind_activators("cold")).await?;
    let prober = Prober::start(space.cluster.gateway, host(&warm)?, PERIOD);
    for pod in system.pods(ACTIVATOR).await? {
        space.at_zero("cold").await?;
        without(space, system, &cold, &pod, end)
            .await
            .with_context(|| format!("without {pod}"))?;
    }
    let outcome = prober.stop().await?;
    println!("{end:?}: {outcome}");
    let all = outcome.requests();
    ensure!(all >= PROBES, "only {all} probes");
    if end == End::Asked {
        return outcome.all_good();
    }
    ensure!((all - outcome.good()) * 100 <= all, "{outcome}");
    Ok(())
}

/// Ends `pod`: nothing leads to it then, `cold` wakes up, and another pod comes for it.
async fn without(
    space: &Space,
    system: &System,
    cold: &Service,
    pod: &str,
    end: End,
) -> Result<()> {
    for revision in ["warm-00001", "cold-00001"] {
        activators_behind(space, revision).await?;
    }
    end_pod(&system.space, pod, end).await?;
    until("nothing leads to it", SOON, async || {
        let behind = activators_behind(space, "cold-00001").await?;
        if behind.contains(pod) {
            return Ok(Seen::NotYet(format!("{behind:?}")));
        }
        Ok(Seen::Done(()))
    })
    .await?;
    let answer = space.ask(cold, "/").await?;
    ensure!(answer.status == 200, "from zero: {answer:?}");
    system.complete(ACTIVATOR).await?;
    until("another came for it", SOON, async || {
        let behind = system.space.pods_behind("activator-service").await?;
        if behind.len() == usize::try_from(REPLICAS)? && !behind.contains(pod) {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{behind:?}")))
    })
    .await
}

/// The pods behind the public Service of a revision, which must be activators.
async fn activators_behind(space: &Space, revision: &str) -> Result<BTreeSet<String>> {
    let behind = space.pods_behind(revision).await?;
    let mut names = behind.iter();
    ensure!(
        names.all(|name| name.starts_with("activator-")),
        "{revision} leads to {behind:?}, not to activators of {SYSTEM}"
    );
    Ok(behind)
}
