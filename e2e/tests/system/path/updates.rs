//! Changes that nobody who asks may notice.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::load::Prober;
use e2e::namespace::in_namespace;
use e2e::service::{READY, host};
use e2e::subject::Subject;

const UPDATES: usize = 20;
/// These wait for the one before; the others come while it is still on its way.
const PATIENT: usize = 8;

#[tokio::test]
async fn twenty_updates_cost_no_request() -> Result<()> {
    in_namespace("updates", async |space| {
        let version = |number: usize| {
            Subject::new(space, "app").env("RESOURCE", &format!("version {number}"))
        };
        let service = space.start(version(0)).await?;
        let prober = Prober::start(
            space.cluster.gateway,
            host(&service)?,
            Duration::from_millis(20),
        );
        for number in 1..=UPDATES {
            space.apply(&version(number).build()?).await?;
            if number <= PATIENT || number == UPDATES {
                let service = space.ready("app", READY).await?;
                let body = space.text(&service, "/").await?;
                ensure!(
                    body == format!("version {number}"),
                    "Ready, and still {body:?}"
                );
            }
        }
        let outcome = prober.stop().await?;
        println!("updates: {outcome}");
        outcome.all_good()
    })
    .await
}
