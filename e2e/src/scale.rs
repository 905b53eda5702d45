//! How many pods a revision has, and whom its core Services lead to.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use tokio::time::{Instant, sleep};

use crate::namespace::Space;
use crate::wait::{Seen, until};

/// Between two looks of [`Space::keep`].
const LOOK: Duration = Duration::from_millis(250);

impl Space {
    /// How many pods of `revision` are ready.
    pub async fn ready_pods(&self, revision: &str) -> Result<i32> {
        let deployment = self
            .api::<Deployment>()
            .get(&format!("{revision}-deployment"))
            .await?;
        let status = deployment.status.unwrap_or_default();
        Ok(status.ready_replicas.unwrap_or(0))
    }

    /// Waits until that number lies in `range`.
    pub async fn reach(
        &self,
        revision: &str,
        range: RangeInclusive<i32>,
        limit: Duration,
    ) -> Result<()> {
        let what = format!("{range:?} pods of {revision}");
        until(&what, limit, async || {
            let pods = self.ready_pods(revision).await?;
            if range.contains(&pods) {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(pods.to_string()))
        })
        .await
    }

    /// Fails if that number leaves `range` within `time`.
    pub async fn keep(
        &self,
        revision: &str,
        range: RangeInclusive<i32>,
        time: Duration,
    ) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            let pods = self.ready_pods(revision).await?;
            let after = start.elapsed();
            ensure!(
                range.contains(&pods),
                "{pods} pods of {revision} after {after:?}, not {range:?}"
            );
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// How many ready addresses stand behind a core Service.
    pub async fn addresses(&self, service: &str) -> Result<usize> {
        let ours = format!("kubernetes.io/service-name={service}");
        let slices = self
            .api::<EndpointSlice>()
            .list(&ListParams::default().labels(&ours))
            .await?;
        let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
        let ready = endpoints.filter(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            conditions.is_none_or(|conditions| conditions.ready != Some(false))
        });
        Ok(ready.map(|endpoint| endpoint.addresses.len()).sum())
    }

    /// The pods behind a core Service, by the references of its addresses; each must have one.
    pub async fn pods_behind(&self, service: &str) -> Result<BTreeSet<String>> {
        let endpoints = self.api::<Endpoints>().get(service).await?;
        let subsets = endpoints.subsets.into_iter().flatten();
        let addresses = subsets.filter_map(|subset| subset.addresses).flatten();
        addresses
            .map(|address| {
                let pod = address.target_ref.and_then(|target| target.name);
                pod.with_context(|| format!("{} names no pod", address.ip))
            })
            .collect()
    }
}
