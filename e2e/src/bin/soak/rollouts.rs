//! A new version of *steady* each minute.

use std::time::Duration;

use anyhow::Result;
use crds::service::Service;
use e2e::namespace::Space;
use e2e::service::{READY, Wanted};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::fate::Subject;
use super::ledger::Ledger;

const PERIOD: Duration = Duration::from_secs(60);

/// Ends only with an error: a version that did not become Ready.
pub(crate) async fn each_minute(space: &Space, ledger: &Ledger) -> Result<()> {
    let mut minutes = interval_at(Instant::now() + PERIOD / 3, PERIOD);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ledger.ready(1);
    for number in 2.. {
        minutes.tick().await;
        let start = Instant::now();
        space.apply(&version(space, number)).await?;
        space.ready(Subject::Steady.name(), READY).await?;
        ledger.ready(number);
        ledger.event(format!(
            "v{number} Ready in {:.1} s",
            start.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

/// The Service with version `number`, which tells its number.
pub(crate) fn version(space: &Space, number: u32) -> Service {
    let mut service = Wanted::answering(space, Subject::Steady.name(), &format!("v{number}"))
        .annotation("autoscaling.knative.dev/min-scale", "2")
        .without_token()
        .build();
    service.spec.template.spec.container_concurrency = Some(Subject::Steady.at_once());
    service
}

/// The number in an answer.
pub(crate) fn version_of(body: &str) -> Option<u32> {
    body.trim_end().strip_prefix('v')?.parse().ok()
}
