//! A new revision that takes over bit by bit.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::service::Service;
use e2e::namespace::in_namespace;
use e2e::scenario::rollout;
use e2e::subject::Subject;
use serde_json::json;

#[tokio::test]
async fn a_new_revision_takes_over_gradually_when_that_is_asked_for() -> Result<()> {
    in_namespace("gradual", async |space| {
        rollout::gradual(space, Duration::from_secs(12)).await
    })
    .await
}

/// Who names a revision that is not there is told so, and what served goes on.
#[tokio::test]
async fn traffic_for_an_unknown_revision_changes_nothing_that_serves() -> Result<()> {
    in_namespace("foobar", async |space| {
        let service = space.start(Subject::new(space, "app")).await?;
        let wrong = json!([{ "revisionName": "foobar", "percent": 100 }]);
        space
            .apply(&Subject::new(space, "app").traffic(wrong).build()?)
            .await?;
        for condition in ["RoutesReady", "Ready"] {
            let limit = Duration::from_secs(30);
            let said = space.verdict::<Service>("app", condition, limit).await?;
            ensure!(said.is_false(), "{condition}: {said}");
            ensure!(said.to_string().contains("foobar"), "{condition}: {said}");
        }
        space.text(&service, "/").await?;
        Ok(())
    })
    .await
}
