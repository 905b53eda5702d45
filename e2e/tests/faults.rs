//! Faults that every other test would feel, so each runs alone (`--test-threads=1`). Here each part of
//! Fermata is killed in turn, while requests run.

mod faults {
    mod activators;
    mod away;
    mod crowd;
    mod features;
    mod hpa;
    mod leases;
    mod scaling;
    mod slots;
    mod webhook;
}

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::revision::Revision;
use crds::service::Service;
use e2e::cluster::SYSTEM;
use e2e::fault::kill_pods;
use e2e::inventory::{Inventory, kinds_of_a_service};
use e2e::load::{Outcome, Prober};
use e2e::namespace::{Space, in_namespace};
use e2e::service::{Wanted, host};
use e2e::wait::{Seen, until};
use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject};

const REPAIRED: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_millis(50);

/// What a part's death may cost those who ask meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// The part is not on the way of a request.
    None,
    /// The part is the way: what it carries breaks off, and nothing gets in until it is back.
    Outage,
}

const PARTS: [(&str, Harm); 4] = [
    ("controller", Harm::None),
    ("webhook", Harm::None),
    ("autoscaler", Harm::None),
    ("activator", Harm::Outage),
];

#[tokio::test]
async fn the_death_of_any_part_loses_no_object_and_is_repaired() -> Result<()> {
    in_namespace("faults", async |space| {
        let warm = Wanted::answering(space, "warm", "warm")
            .annotation("autoscaling.knative.dev/min-scale", "1");
        let warm = space.deploy(warm).await?;
        let cold = space
            .deploy(Wanted::answering(space, "cold", "cold"))
            .await?;
        let before = objects(space).await?;
        for (part, harm) in PARTS {
            survive(space, part, harm, &warm, &cold)
                .await
                .with_context(|| format!("with the {part} killed"))?;
            ensure!(
                objects(space).await? == before,
                "objects changed as the {part} died"
            );
        }
        Ok(())
    })
    .await
}

/// Kills `part` while one Service is asked all the time and the other has no pod.
async fn survive(
    space: &Space,
    part: &str,
    harm: Harm,
    warm: &Service,
    cold: &Service,
) -> Result<()> {
    let system = Space::existing(space.cluster.clone(), SYSTEM);
    space.at_zero("cold").await?;
    let prober = Prober::start(space.cluster.gateway, host(warm)?, PERIOD);
    kill_pods(&system, &format!("app={part}")).await?;
    if harm == Harm::None {
        let answer = space.ask(cold, "/").await?;
        ensure!(
            answer.status == 200,
            "from zero: {}: {}",
            answer.status,
            answer.body
        );
    }
    system.available(part, REPAIRED).await?;
    until("both Services answer again", REPAIRED, async || {
        let warm = space.ask(warm, "/").await?;
        let cold = space.ask(cold, "/").await?;
        if (warm.status.as_u16(), cold.status.as_u16()) == (200, 200) {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{} and {}", warm.status, cold.status)))
    })
    .await?;
    let outcome = prober.stop().await?;
    println!("{part} killed: {outcome}");
    check_harm(harm, &outcome)?;
    still_works(space, part).await
}

fn check_harm(harm: Harm, outcome: &Outcome) -> Result<()> {
    match harm {
        Harm::None => outcome.all_good(),
        Harm::Outage => {
            ensure!(outcome.good() > 0, "nothing was answered: {outcome}");
            let bad: Vec<_> = outcome
                .statuses
                .keys()
                .filter(|code| **code != 200)
                .collect();
            ensure!(
                bad.iter().all(|code| [502, 503, 504].contains(*code)),
                "{outcome}"
            );
            Ok(())
        }
    }
}

/// A new Service becomes Ready, and an old one leaves.
async fn still_works(space: &Space, part: &str) -> Result<()> {
    let name = format!("after-{part}");
    let service = until("a Service is accepted", REPAIRED, async || {
        Ok(Seen::Done(
            space
                .apply(&Wanted::answering(space, &name, "new").build())
                .await?,
        ))
    });
    let name = service.await?.name_any();
    let service = space.ready(&name, REPAIRED).await?;
    let answer = space.ask(&service, "/").await?;
    ensure!(
        answer.status == 200,
        "a new Service answers {}: {}",
        answer.status,
        answer.body
    );
    space
        .api::<Service>()
        .delete(&name, &DeleteParams::default())
        .await?;
    space
        .gone::<Revision>(&format!("serving.knative.dev/service={name}"), REPAIRED)
        .await?;
    Ok(())
}

/// The identity of every object that belongs to the two Services.
async fn objects(space: &Space) -> Result<Inventory<String>> {
    let identity = |_: &str, object: &DynamicObject| {
        let name = object.name_any();
        let ours = name.starts_with("warm") || name.starts_with("cold");
        object.uid().filter(|_| ours)
    };
    space.inventory(&kinds_of_a_service(), identity).await
}
