//! The files of `samples/` do what their first lines say. The demo tells about the other two.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::kubectl;
use e2e::load::Load;
use e2e::namespace::in_namespace;
use e2e::sample;
use e2e::service::{READY, host, tag_host};

const NAME: &str = "stock-service-example";

#[tokio::test]
async fn the_stock_service_shares_its_traffic_between_its_two_versions() -> Result<()> {
    in_namespace("stock", async |space| {
        for file in ["stock-service-v1.yaml", "stock-service.yaml"] {
            let manifest = sample::read(&space.cluster, file)?;
            kubectl::apply(&space.name, &manifest).await?.good()?;
            space.ready(NAME, READY).await?;
        }
        let service = space.ready(NAME, Duration::ZERO).await?;
        let outcome = Load::new(host(&service)?, 400, 8)
            .run(space.cluster.gateway)
            .await;
        outcome.all_good()?;
        for version in ["v1", "v2"] {
            let share = outcome.share(version);
            ensure!(
                (35.0..=65.0).contains(&share),
                "{version} got {share} %: {outcome}"
            );
            let host = tag_host(&service, version)?;
            let answer = space.cluster.gateway.get(host, "/").await?;
            ensure!(
                answer.body.trim_end() == version,
                "{host} answers {:?}",
                answer.body
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_apply_sends_twice_changes_nothing() -> Result<()> {
    in_namespace("again", async |space| {
        let manifest = sample::read(&space.cluster, "hello.yaml")?;
        kubectl::apply(&space.name, &manifest).await?.good()?;
        let first = space.ready("hello", READY).await?;
        // kubectl says "configured": it sends the containers, a list, without what was defaulted.
        kubectl::apply(&space.name, &manifest).await?.good()?;
        let second = space.ready("hello", READY).await?;
        ensure!(
            first.metadata.generation == second.metadata.generation,
            "a new generation"
        );
        Ok(())
    })
    .await
}
