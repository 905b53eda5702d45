//! Traffic falls on revisions as the Service says.

use anyhow::{Result, ensure};
use e2e::load::Load;
use e2e::namespace::in_namespace;
use e2e::service::{Wanted, host, tag_host};

const REQUESTS: usize = 10_000;
/// Points. Chance alone stays within it: four standard deviations.
const TOLERANCE: f64 = 2.0;

#[tokio::test]
async fn half_of_the_requests_reach_each_revision_and_a_tag_reaches_its_own() -> Result<()> {
    in_namespace("split", async |space| {
        let version =
            |text| Wanted::answering(space, "split", text).revision(&format!("split-{text}"));
        space.deploy(version("v1")).await?;
        let both = version("v2")
            .share("v1", "split-v1", 50)
            .share("v2", "split-v2", 50);
        let service = space.deploy(both).await?;

        let outcome = Load::new(host(&service)?, REQUESTS, 20)
            .run(space.cluster.gateway)
            .await;
        println!("split: {outcome}, {:?}", outcome.bodies);
        outcome.all_good()?;
        for text in ["v1", "v2"] {
            let share = outcome.share(text);
            ensure!(
                (share - 50.0).abs() <= TOLERANCE,
                "{text} got {share} %: {outcome}"
            );
        }
        for text in ["v1", "v2"] {
            let own = Load::new(tag_host(&service, text)?, 200, 4)
                .run(space.cluster.gateway)
                .await;
            own.all_good()?;
            ensure!(
                own.bodies.get(text) == Some(&200),
                "tag {text}: {:?}",
                own.bodies
            );
        }
        Ok(())
    })
    .await
}
