//! All autoscalers that hold a lease end while a Service is at zero: others take the leases, and scale.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use e2e::fault::{End, end_pod};
use e2e::namespace::{Space, in_namespace};
use e2e::scenario::demand::Demand;
use e2e::subject::Subject;
use e2e::system::System;
use e2e::wait::{Seen, until};

const AUTOSCALER: &str = "autoscaler";
const REPLICAS: i32 = 3;
const BUCKETS: usize = 10;
const TIMES: [(&str, &str); 4] = [
    ("buckets", "10"),
    ("lease-duration", "15s"),
    ("renew-deadline", "10s"),
    ("retry-period", "2s"),
];
const HANDED_OVER: Duration = Duration::from_mins(2);
const SCALED: Duration = Duration::from_mins(1);
const PODS: i32 = 3;
/// Requests of half a second at the same time: four in a second, where one is the target.
const REQUESTS: usize = 2;

#[tokio::test]
async fn when_every_holder_of_a_lease_ends_others_scale_from_zero_and_new_revisions() -> Result<()>
{
    in_namespace("autoscalers", async |space| {
        let system = System::of(&space.cluster);
        let body = async || {
            let body = async || succession(space, &system).await;
            system.with_replicas(AUTOSCALER, REPLICAS, body).await
        };
        system
            .with_settings("config-leader-election", &TIMES, body)
            .await
    })
    .await
}

async fn succession(space: &Space, system: &System) -> Result<()> {
    let subject = |text: &str| {
        Subject::new(space, "app")
            .annotation("autoscaling.knative.dev/metric", "rps")
            .annotation("autoscaling.knative.dev/target", "1")
            .annotation("autoscaling.knative.dev/target-burst-capacity", "-1")
            .annotation("autoscaling.knative.dev/max-scale", &PODS.to_string())
            .env("RESOURCE", text)
    };
    let none = BTreeSet::new();
    held(system, &none).await?;
    let service = space.start(subject("first")).await?;
    space.at_zero("app").await?;
    let holders: BTreeSet<_> = holders(system).await?.into_values().collect();
    for holder in &holders {
        end_pod(&system.space, holder, End::Asked).await?;
    }
    held(system, &holders).await?;
    let demand = Demand::new(space, service);
    let load = demand.load(REQUESTS)?;
    space.reach("app-00001", PODS..=PODS, SCALED).await?;
    space.start(subject("second")).await?;
    space.reach("app-00002", PODS..=PODS, SCALED).await?;
    let outcome = load.stop().await?;
    println!("autoscalers: {} ended: {outcome}", holders.len());
    outcome.all_good()
}

/// Waits until every lease is held, and by nobody of `gone`.
async fn held(system: &System, gone: &BTreeSet<String>) -> Result<()> {
    until("every lease is held", HANDED_OVER, async || {
        let held = holders(system).await?;
        let alive = held.values().filter(|holder| !gone.contains(*holder));
        if alive.count() == BUCKETS && held.len() == BUCKETS {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{held:?}")))
    })
    .await
}

/// The pod that holds each lease of this number of buckets.
async fn holders(system: &System) -> Result<BTreeMap<String, String>> {
    let mut held = system.holders("autoscaler-bucket-").await?;
    held.retain(|lease, _| lease.ends_with(&format!("-of-{BUCKETS:02}")));
    Ok(held)
}
