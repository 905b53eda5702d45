//! A namespace for one test: made before it, examined when it fails, removed after it.

use std::env;
use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use futures::FutureExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::diagnosis;
use crate::wait::{Seen, until};

/// Field manager of what tests apply.
const MANAGER: &str = "e2e";
/// Marks the namespaces of tests.
const LABEL: &str = "fermata.dev/e2e";
/// A namespace that is older was left by a run that was killed.
const ABANDONED: Duration = Duration::from_mins(30);

/// A namespace in a cluster.
#[derive(Clone, Debug)]
pub struct Space {
    /// Its cluster.
    pub cluster: Cluster,
    /// Its name.
    pub name: String,
}

/// Runs `body` in a namespace of its own, named after `test`. When it fails, or panics, everything
/// that tells why is printed first. `E2E_KEEP=1` leaves the namespace of a failed test in place.
pub async fn in_namespace(test: &str, body: impl AsyncFnOnce(&Space) -> Result<()>) -> Result<()> {
    let cluster = Cluster::connect().await?;
    remove_abandoned(&cluster).await?;
    let space = Space::create(cluster, test).await?;
    let start = Instant::now();
    let verdict = AssertUnwindSafe(body(&space)).catch_unwind().await;
    note_cost(test, start.elapsed())?;
    let verdict = verdict.unwrap_or_else(|panic| Err(anyhow!("panic: {}", panic_text(&*panic))));
    if verdict.is_err() {
        eprintln!("\n{test} failed\n{}", diagnosis::report(&space).await);
    }
    if verdict.is_ok() || env::var_os("E2E_KEEP").is_none() {
        space.remove().await?;
    }
    verdict
}

/// Adds a line to the file of `E2E_COSTS`, if that is set: seconds and test.
fn note_cost(test: &str, took: Duration) -> Result<()> {
    let Some(file) = env::var_os("E2E_COSTS") else {
        return Ok(());
    };
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    // One write: other tests add theirs at the same time.
    file.write_all(format!("{:6.1} s  {test}\n", took.as_secs_f64()).as_bytes())?;
    Ok(())
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}

async fn remove_abandoned(cluster: &Cluster) -> Result<()> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let oldest = jiff::Timestamp::now() - ABANDONED;
    for namespace in api
        .list_metadata(&ListParams::default().labels(LABEL))
        .await?
    {
        let created = namespace.creation_timestamp();
        let leaving = namespace.metadata.deletion_timestamp.is_some();
        if !leaving && created.is_some_and(|created| created.0 < oldest) {
            // Another test may have been faster.
            let _ = api
                .delete(&namespace.name_any(), &DeleteParams::default())
                .await;
        }
    }
    Ok(())
}

// === impl Space ===

impl Space {
    /// The namespace `name`, which is there already.
    pub fn existing(cluster: Cluster, name: &str) -> Self {
        Self {
            cluster,
            name: name.to_owned(),
        }
    }

    async fn create(cluster: Cluster, test: &str) -> Result<Self> {
        let api: Api<Namespace> = Api::all(cluster.client.clone());
        let millis = SystemTime::UNIX_EPOCH.elapsed()?.as_millis() % 100_000_000;
        let name = format!("e2e-{test}-{millis}");
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            labels: Some([(LABEL.to_owned(), "true".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let namespace = Namespace {
            metadata,
            ..Namespace::default()
        };
        api.create(&PostParams::default(), &namespace)
            .await
            .context("no namespace for a test")?;
        Ok(Self { cluster, name })
    }

    /// Asks for the end of the namespace; the cluster takes its time for it.
    async fn remove(&self) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.cluster.client.clone());
        match api.delete(&self.name, &DeleteParams::default()).await {
            // The test itself removed it.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            removed => removed.map(drop).context("namespace not removed"),
        }
    }

    /// Objects of kind `K` in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cluster.client.clone(), &self.name)
    }

    /// Makes `object`, or changes what is there into it, as `kubectl apply --server-side` does.
    pub async fn apply<K>(&self, object: &K) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned + Serialize,
    {
        let name = object.name_any();
        let params = PatchParams::apply(MANAGER).force();
        let applied = self
            .api::<K>()
            .patch(&name, &params, &Patch::Apply(object))
            .await;
        applied.with_context(|| format!("{} {name} can't be applied", K::kind(&())))
    }

    /// Waits until no object of kind `K` that `selector` picks is left.
    pub async fn gone<K>(&self, selector: &str, limit: Duration) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned,
    {
        let api = self.api::<K>();
        let what = format!("no {} with {selector:?}", K::kind(&()));
        until(&what, limit, async || {
            let left = api
                .list_metadata(&ListParams::default().labels(selector))
                .await?
                .items;
            let names: Vec<_> = left.iter().map(ResourceExt::name_any).collect();
            if names.is_empty() {
                Ok(Seen::Done(()))
            } else {
                Ok(Seen::NotYet(names.join(", ")))
            }
        })
        .await
    }

    /// The pods that `selector` picks, leaving ones too.
    pub async fn pods(&self, selector: &str) -> Result<Vec<Pod>> {
        Ok(self
            .api::<Pod>()
            .list(&ListParams::default().labels(selector))
            .await?
            .items)
    }

    /// Waits until the Deployment `name` has all its pods, of its newest template.
    pub async fn available(&self, name: &str, limit: Duration) -> Result<()> {
        until(&format!("Deployment {name} available"), limit, async || {
            let deployment = self.api::<Deployment>().get(name).await?;
            let wanted = deployment
                .spec
                .as_ref()
                .and_then(|spec| spec.replicas)
                .unwrap_or(1);
            let status = deployment.status.clone().unwrap_or_default();
            let current = status.observed_generation == deployment.metadata.generation;
            let available = status.available_replicas.unwrap_or(0);
            let updated = status.updated_replicas.unwrap_or(0);
            if current && available >= wanted && updated >= wanted {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!(
                "{available} of {wanted} pods available"
            )))
        })
        .await
    }
}
