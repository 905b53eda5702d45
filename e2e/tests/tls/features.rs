//! Settings of the system for the time of a test, and what is looked at in all of them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use anyhow::{Context, Result};
use crds::certificate::Certificate;
use crds::condition::{READY, Truth, find};
use crds::networking::Ingress;
use crds::route::Route;
use e2e::cluster::SYSTEM;
use e2e::namespace::{Space, in_namespace};
use e2e::wait::{Seen, until};
use futures::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::Mutex;

/// Class of the issuer that comes with Fermata.
pub(crate) const BUILT_IN: &str = "fermata.certificate.networking.knative.dev";
/// Class of cert-manager.
pub(crate) const CERT_MANAGER: &str = "cert-manager.certificate.networking.knative.dev";
/// How long the system may take to act on a change.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Every test changes the same settings.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Runs `body` in a namespace of its own, and sets config-network back after it, however it ends.
pub(crate) async fn alone(test: &str, body: impl AsyncFnOnce(&Space) -> Result<()>) -> Result<()> {
    let _alone = ALONE.lock().await;
    in_namespace(test, async |space| {
        let before = settings(space).get("config-network").await?;
        let verdict = AssertUnwindSafe(body(space)).catch_unwind().await;
        restore(space, before.data.unwrap_or_default()).await?;
        verdict.unwrap_or_else(|panic| resume_unwind(panic))
    })
    .await
}

/// Changes keys of config-network.
pub(crate) async fn set(space: &Space, changes: &[(&str, &str)]) -> Result<()> {
    let data: BTreeMap<_, _> = changes.iter().copied().collect();
    patch(space, &json!({ "data": data })).await
}

/// Keys that were not there before go.
async fn restore(space: &Space, before: BTreeMap<String, String>) -> Result<()> {
    let now = settings(space).get("config-network").await?;
    let mut data: BTreeMap<String, Option<String>> = now
        .data
        .into_iter()
        .flatten()
        .map(|(key, _)| (key, None))
        .collect();
    data.extend(before.into_iter().map(|(key, value)| (key, Some(value))));
    patch(space, &json!({ "data": data })).await
}

async fn patch(space: &Space, change: &serde_json::Value) -> Result<()> {
    let patched = settings(space)
        .patch(
            "config-network",
            &PatchParams::default(),
            &Patch::Merge(change),
        )
        .await;
    patched.map(drop).context("config-network can't be changed")
}

fn settings(space: &Space) -> Api<ConfigMap> {
    Api::namespaced(space.cluster.client.clone(), SYSTEM)
}

/// What a person sees of a Route: URL, address, and what it says of its certificates.
pub(crate) async fn seen(space: &Space, route: &str) -> Result<String> {
    let status = space.api::<Route>().get(route).await?.status;
    let status = status.unwrap_or_default();
    let certified = Truth::of(find(&status.conditions, "CertificateProvisioned"));
    let ready = Truth::of(find(&status.conditions, READY));
    let address = status.address.and_then(|it| it.url);
    Ok(format!(
        "{} | {} | {certified} | Ready {ready}",
        status.url.unwrap_or_default(),
        address.unwrap_or_default(),
    ))
}

/// Waits until the Route is seen like that.
pub(crate) async fn until_seen(space: &Space, route: &str, wanted: &str) -> Result<()> {
    until(&format!("Route {route}: {wanted}"), SOON, async || {
        let seen = seen(space, route).await?;
        if seen == wanted {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(seen))
    })
    .await
}

/// The Secrets that the gateway gets, with the first of their hosts.
pub(crate) async fn secrets(space: &Space, ingress: &str) -> Result<Vec<(String, String)>> {
    let tls = space.api::<Ingress>().get(ingress).await?.spec.tls;
    let pairs = tls.into_iter().map(|it| {
        let host = it.hosts.into_iter().next().unwrap_or_default();
        (host, it.secret_name)
    });
    Ok(pairs.collect())
}

/// Waits until the Certificate `name` says that.
pub(crate) async fn certificate(space: &Space, name: &str, wanted: &str) -> Result<Certificate> {
    until(&format!("Certificate {name}: {wanted}"), SOON, async || {
        let certificate = space.api::<Certificate>().get(name).await?;
        let status = certificate.status.clone().unwrap_or_default();
        let said = Truth::of(find(&status.conditions, READY)).to_string();
        if said == wanted && status.observed_generation == certificate.metadata.generation {
            return Ok(Seen::Done(certificate));
        }
        Ok(Seen::NotYet(said))
    })
    .await
}

/// The name of the Certificate for the host outside of a Route.
pub(crate) async fn name_of(space: &Space, route: &str) -> Result<String> {
    let uid = space.api::<Route>().get(route).await?.uid();
    Ok(format!("route-{}", uid.context("a Route without uid")?))
}
