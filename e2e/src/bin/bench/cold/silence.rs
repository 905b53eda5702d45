//! Nobody believes what pods announce: the activators get another key than the one that pods sign with,
//! as they would after somebody had replaced it. Pods are found by the watch then, as upstream finds them.

use anyhow::{Context, Result};
use e2e::cluster::{Cluster, SYSTEM};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use net::contract::name;
use serde_json::json;

const OTHER_KEY: &[u8] = b"a key that no pod would ever sign with";

/// The time in which nobody is believed. It has to be ended.
#[must_use]
pub(super) struct Silence {
    secrets: Api<Secret>,
    key: ByteString,
}

// === impl Silence ===

impl Silence {
    /// Begins it.
    pub(super) async fn begin(cluster: &Cluster) -> Result<Self> {
        let secrets = Api::namespaced(cluster.client.clone(), SYSTEM);
        let secret: Secret = secrets.get(name::ANNOUNCEMENT_SECRET).await?;
        let mut data = secret.data.unwrap_or_default();
        let key = data.remove(name::ANNOUNCEMENT_KEY);
        let key = key.context("there is no key for announcements")?;
        let silence = Self { secrets, key };
        silence.write(&ByteString(OTHER_KEY.to_vec())).await?;
        Ok(silence)
    }

    /// Puts the key back.
    pub(super) async fn end(self) -> Result<()> {
        self.write(&self.key).await
    }

    async fn write(&self, key: &ByteString) -> Result<()> {
        let patch = Patch::Merge(json!({"data": {name::ANNOUNCEMENT_KEY: key}}));
        let params = PatchParams::default();
        self.secrets
            .patch(name::ANNOUNCEMENT_SECRET, &params, &patch)
            .await?;
        Ok(())
    }
}
