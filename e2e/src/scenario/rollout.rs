//! A new revision that takes over bit by bit.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use serde_json::json;

use crate::load::Prober;
use crate::namespace::Space;
use crate::service::host;
use crate::subject::Subject;
use crate::verdict::truth;
use crate::wait::{Seen, until};

const PERIOD: Duration = Duration::from_millis(20);
/// What a rollout may take beyond its own time: the new pod has to come first.
const MARGIN: Duration = Duration::from_secs(80);
/// With fewer different shares it was no gradual rollout.
const SHARES: usize = 4;

/// A Service whose second revision takes over during `time`, and says so meanwhile: never do more than two
/// share the traffic, and no request is lost.
pub async fn gradual(space: &Space, time: Duration) -> Result<()> {
    let version = |text: &str| {
        let duration = format!("{}s", time.as_secs());
        let annotations = json!({ "serving.knative.dev/rollout-duration": duration });
        Subject::new(space, "app")
            .metadata(json!({ "annotations": annotations }))
            .env("RESOURCE", text)
    };
    let service = space.start(version("old")).await?;
    let prober = Prober::start(space.cluster.gateway, host(&service)?, PERIOD);
    space.apply(&version("new").build()?).await?;
    let seen = until_over(space, time + MARGIN).await?;
    let outcome = prober.stop().await?;
    println!("{}: {outcome}; {seen:?}", space.name);
    outcome.all_good()?;
    let Progress { shares, reasons } = &seen;
    ensure!(shares.len() >= SHARES, "not bit by bit: {shares:?}");
    for share in shares {
        let (targets, all) = (share.len(), share.iter().flatten().sum::<i64>());
        ensure!(targets <= 2 && all == 100, "{share:?} of {shares:?}");
    }
    let mut reasons = reasons.iter();
    let named = reasons.any(|reason| reason.contains("RolloutInProgress"));
    ensure!(named, "no RolloutInProgress: {seen:?}");
    let answer = space.ask(&service, "/").await?;
    ensure!(answer.body == "new", "{answer:?}");
    Ok(())
}

/// What was seen on the way.
#[derive(Debug, Default)]
struct Progress {
    shares: BTreeSet<Vec<Option<i64>>>,
    reasons: BTreeSet<String>,
}

/// Looks until the new revision has all traffic.
async fn until_over(space: &Space, limit: Duration) -> Result<Progress> {
    let mut seen = Progress::default();
    until("the rollout is over", limit, async || {
        let service = space.api::<Service>().get("app").await?;
        let ready = truth(&service, "Ready")?;
        let traffic = service.status.context("no status")?.traffic;
        seen.shares
            .insert(traffic.iter().map(|target| target.percent).collect());
        seen.reasons.insert(ready.to_string());
        let new = traffic[0].revision_name.as_deref() == Some("app-00002");
        if ready.is_true() && traffic.len() == 1 && new {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{ready}; {traffic:?}")))
    })
    .await?;
    Ok(seen)
}
