//! Nobody hears what pods announce: the Service by which they find the activators leads to nobody. Pods
//! are found by the watch then, as upstream finds them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use e2e::cluster::{Cluster, SYSTEM};
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{Patch, PatchParams};
use net::contract::name;
use serde_json::json;

type Selector = BTreeMap<String, String>;

/// The time in which nobody is heard. It has to be ended.
#[must_use]
pub(super) struct Silence {
    services: Api<Service>,
    selector: Selector,
}

// === impl Silence ===

impl Silence {
    /// Begins it. Names that were looked up before are known for another five seconds.
    pub(super) async fn begin(cluster: &Cluster) -> Result<Self> {
        let services = Api::namespaced(cluster.client.clone(), SYSTEM);
        let service: Service = services.get(name::ANNOUNCEMENT_SERVICE).await?;
        let selector = service.spec.and_then(|spec| spec.selector);
        let selector = selector.context("the Service for announcements selects nobody")?;
        let nobody = selector
            .keys()
            .map(|key| (key.clone(), "nobody".to_owned()));
        write(&services, &nobody.collect()).await?;
        Ok(Self { services, selector })
    }

    /// Leads pods to the activators again.
    pub(super) async fn end(self) -> Result<()> {
        write(&self.services, &self.selector).await
    }
}

async fn write(services: &Api<Service>, selector: &Selector) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"selector": selector}}));
    let params = PatchParams::default();
    services
        .patch(name::ANNOUNCEMENT_SERVICE, &params, &patch)
        .await?;
    Ok(())
}
