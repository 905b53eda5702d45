//! What the tests need of the Deployment of the webhook.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::namespace::Space;
use e2e::wait::{Seen, until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{LIMIT, PODS, WEBHOOK};

/// Returns the containers as they were, so that they can be put back.
pub(super) async fn with_short_certificates(system: &Space, lifetime: Duration) -> Result<Value> {
    let deployment = system.api::<Deployment>().get(WEBHOOK).await?;
    let template = serde_json::to_value(deployment.spec.context("no spec")?.template)?;
    let containers = template["spec"]["containers"].clone();
    let variable = |name: &str, time: Duration| json!({ "name": name, "value": format!("{}s", time.as_secs()) });
    let mut short = containers.clone();
    let env = short[0]["env"].as_array_mut().context("no variables")?;
    env.push(variable("WEBHOOK_CERTIFICATE_LIFETIME", lifetime));
    env.push(variable("WEBHOOK_CERTIFICATE_RENEW_BEFORE", lifetime / 2));
    put(system, &short).await?;
    Ok(containers)
}

pub(super) async fn restore(system: &Space, containers: Value) -> Result<()> {
    put(system, &containers).await?;
    settled(system).await
}

async fn put(system: &Space, containers: &Value) -> Result<()> {
    let patch = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    let api = system.api::<Deployment>();
    api.patch(WEBHOOK, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Returns how many replicas there were.
pub(super) async fn scale(system: &Space, replicas: i32) -> Result<i32> {
    let api = system.api::<Deployment>();
    let before = api
        .get_scale(WEBHOOK)
        .await?
        .spec
        .and_then(|spec| spec.replicas);
    let patch = json!({ "spec": { "replicas": replicas } });
    api.patch_scale(WEBHOOK, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(before.unwrap_or(1))
}

/// Waits until all pods are new, ready, and no other is left.
pub(super) async fn settled(system: &Space) -> Result<()> {
    system.available(WEBHOOK, LIMIT).await?;
    until("only pods of today", LIMIT, async || {
        let wanted = system.api::<Deployment>().get(WEBHOOK).await?;
        let wanted = wanted.spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let pods = system.pods(PODS).await?.len();
        if i32::try_from(pods)? == wanted {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(format!("{pods} pods")))
    })
    .await
}

/// Names of the pods, and how often their containers were started.
pub(super) async fn identities(system: &Space) -> Result<Vec<(String, i32)>> {
    let pods = system.pods(PODS).await?;
    let mut all: Vec<_> = pods
        .iter()
        .map(|pod| (pod.name_any(), restarts(pod)))
        .collect();
    all.sort();
    Ok(all)
}

fn restarts(pod: &Pod) -> i32 {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    statuses
        .into_iter()
        .flatten()
        .map(|status| status.restart_count)
        .sum()
}
