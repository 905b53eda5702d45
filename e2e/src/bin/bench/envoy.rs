//! One Envoy in front of the plain app.

use anyhow::Result;
use e2e::client::Gateway;
use e2e::namespace::Space;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};

use super::plain::{address, first_answer, next, scale};

/// Name of its Deployment, its container and its Service; the label `app` of its pods.
pub(crate) const ENVOY: &str = "envoy";
const MANIFESTS: &str = include_str!("envoy.yaml");

/// Starts it; the core Service `plain` is what it passes everything on to.
pub(crate) async fn serve(space: &Space) -> Result<Gateway> {
    let image = std::env::var("ENVOY_IMAGE").unwrap_or_default();
    let filled = MANIFESTS.replace("ENVOY_IMAGE", &image);
    let mut documents = filled.split("---\n").map(str::to_owned);
    space.apply(&next::<ConfigMap>(&mut documents)?).await?;
    space.apply(&next::<Deployment>(&mut documents)?).await?;
    let service = space.apply(&next::<Service>(&mut documents)?).await?;
    scale(space, ENVOY, 1).await?;
    let gateway = address(&service)?;
    first_answer(gateway).await?;
    Ok(gateway)
}
