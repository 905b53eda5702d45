//! The parts of Fermata as objects of the cluster: their number, their settings, what they log.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::FutureExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{ListParams, LogParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, SYSTEM};
use crate::namespace::Space;

/// How long a part may take to have all its pods.
const COMPLETE: Duration = Duration::from_secs(90);

/// Fermata.
#[derive(Clone, Debug)]
pub struct System {
    /// Its namespace.
    pub space: Space,
}

impl System {
    /// The Fermata of `cluster`.
    pub fn of(cluster: &Cluster) -> Self {
        let space = Space::existing(cluster.clone(), SYSTEM);
        Self { space }
    }

    /// Runs `body` with `replicas` pods of a part, and sets the number back, however it ends.
    pub async fn with_replicas(
        &self,
        part: &str,
        replicas: i32,
        body: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        let deployment = self.space.api::<Deployment>().get(part).await?;
        let before = deployment.spec.and_then(|spec| spec.replicas).unwrap_or(1);
        self.scale(part, replicas).await?;
        let verdict = AssertUnwindSafe(body()).catch_unwind().await;
        self.scale(part, before).await?;
        verdict.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Runs `body` with keys of a ConfigMap changed, and sets them back, however it ends.
    pub async fn with_settings(
        &self,
        map: &str,
        changes: &[(&str, &str)],
        body: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        let before = self.space.api::<ConfigMap>().get(map).await?;
        let before = before.data.unwrap_or_default();
        let now = changes.iter().map(|(key, value)| (*key, json!(value)));
        self.set(map, now.collect()).await?;
        let verdict = AssertUnwindSafe(body()).catch_unwind().await;
        let old = changes
            .iter()
            .map(|(key, _)| (*key, json!(before.get(*key))));
        self.set(map, old.collect()).await?;
        verdict.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Names of a part's pods that are not leaving.
    pub async fn pods(&self, part: &str) -> Result<Vec<String>> {
        let pods = self.space.pods(&format!("app={part}")).await?;
        let staying = pods
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(staying.map(ResourceExt::name_any).collect())
    }

    /// The pod that holds each lease whose name begins with `prefix`, of those that anybody holds.
    pub async fn holders(&self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let leases = self.space.api::<Lease>();
        let leases = leases.list(&ListParams::default()).await?;
        let held = leases.into_iter().filter_map(|lease| {
            let name = lease.name_any();
            let holder = lease.spec?.holder_identity?;
            let (pod, _) = holder.split_once('_')?;
            name.starts_with(prefix).then(|| (name, pod.to_owned()))
        });
        Ok(held.collect())
    }

    /// Waits until a part has all its pods.
    pub async fn complete(&self, part: &str) -> Result<()> {
        self.space.available(part, COMPLETE).await
    }

    /// The lines that a part has logged in the last `time`, as JSON.
    pub async fn log(&self, part: &str, time: Duration) -> Result<Vec<Value>> {
        let params = LogParams {
            since_seconds: Some(i64::try_from(time.as_secs())?),
            ..LogParams::default()
        };
        let mut lines = Vec::new();
        for pod in self.pods(part).await? {
            let log = self.space.api::<Pod>().logs(&pod, &params).await?;
            lines.extend(
                log.lines()
                    .filter_map(|line| serde_json::from_str(line).ok()),
            );
        }
        Ok(lines)
    }

    async fn scale(&self, part: &str, replicas: i32) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        let api = self.space.api::<Deployment>();
        api.patch_scale(part, &PatchParams::default(), &patch)
            .await?;
        self.complete(part).await
    }

    /// A key whose value is null goes.
    async fn set(&self, map: &str, data: BTreeMap<&str, Value>) -> Result<()> {
        let patch = Patch::Merge(json!({ "data": data }));
        let api = self.space.api::<ConfigMap>();
        let set = api.patch(map, &PatchParams::default(), &patch).await;
        set.map(drop)
            .with_context(|| format!("{map} can't be changed"))
    }
}
