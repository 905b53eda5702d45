//! A new revision that takes over bit by bit.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use e2e::load::Prober;
use e2e::namespace::in_namespace;
use e2e::service::host;
use e2e::subject::Subject;
use e2e::verdict::truth;
use e2e::wait::{Seen, until};
use serde_json::json;

#[tokio::test]
async fn a_new_revision_takes_over_gradually_when_that_is_asked_for() -> Result<()> {
    in_namespace("gradual", async |space| {
        let version = |text: &str| {
            let duration = json!({ "serving.knative.dev/rollout-duration": "12s" });
            Subject::new(space, "app")
                .metadata(json!({ "annotations": duration }))
                .env("RESOURCE", text)
        };
        let service = space.start(version("old")).await?;
        let prober = Prober::start(
            space.cluster.gateway,
            host(&service)?,
            Duration::from_millis(20),
        );
        space.apply(&version("new").build()?).await?;
        let mut shares = BTreeSet::new();
        let mut reasons = BTreeSet::new();
        until("the rollout is over", Duration::from_secs(90), async || {
            let service = space.api::<Service>().get("app").await?;
            let ready = truth(&service, "Ready")?;
            let traffic = service.status.context("no status")?.traffic;
            let percents: Vec<_> = traffic.iter().map(|target| target.percent).collect();
            ensure!(percents.iter().flatten().sum::<i64>() == 100, "{traffic:?}");
            ensure!(traffic.len() <= 2, "{traffic:?}");
            shares.insert(percents);
            reasons.insert(ready.to_string());
            let new = traffic[0].revision_name.as_deref() == Some("app-00002");
            if ready.is_true() && traffic.len() == 1 && new {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{ready}; {traffic:?}")))
        })
        .await?;
        let outcome = prober.stop().await?;
        println!("gradual: {outcome}; {shares:?}; {reasons:?}");
        outcome.all_good()?;
        ensure!(shares.len() >= 4, "not bit by bit: {shares:?}");
        let named = reasons
            .iter()
            .any(|reason| reason.contains("RolloutInProgress"));
        ensure!(named, "no RolloutInProgress: {reasons:?}");
        let answer = space.ask(&service, "/").await?;
        ensure!(answer.body == "new", "{answer:?}");
        Ok(())
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
