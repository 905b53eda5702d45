//! The same app without us: a Deployment behind a core Service, and Envoy before it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use e2e::client::Gateway;
use e2e::load::Outcome;
use e2e::namespace::Space;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep};

/// Name of the Deployment, its container and its Service; the label `app` of its pods.
pub(crate) const PLAIN: &str = "plain";
/// The same of Envoy.
pub(crate) const ENVOY: &str = "envoy";
/// Where the app listens.
const PORT: u16 = 8080;
const STARTED: Duration = Duration::from_secs(60);
const MANIFESTS: &str = include_str!("plain.yaml");

/// Where the two are reached.
#[derive(Debug)]
pub(crate) struct Plain {
    /// The app itself.
    pub(crate) app: Gateway,
    /// Envoy, which passes everything on to the app.
    pub(crate) envoy: Gateway,
}

impl Plain {
    /// Creates both, with no pod.
    pub(crate) async fn create(space: &Space) -> Result<Self> {
        let envoy_image = std::env::var("ENVOY_IMAGE").unwrap_or_default();
        let manifests = MANIFESTS
            .replace("APP_IMAGE", &space.cluster.hello_image())
            .replace("ENVOY_IMAGE", &envoy_image);
        let mut documents = serde_yaml::Deserializer::from_str(&manifests);
        space.apply(&next::<Deployment>(&mut documents)?).await?;
        let app = space.apply(&next::<Service>(&mut documents)?).await?;
        space.apply(&next::<ConfigMap>(&mut documents)?).await?;
        space.apply(&next::<Deployment>(&mut documents)?).await?;
        let envoy = space.apply(&next::<Service>(&mut documents)?).await?;
        Ok(Self {
            app: address(&app)?,
            envoy: address(&envoy)?,
        })
    }

    /// How long it took from the order to the first answer at the address that the API shows, from
    /// no pod at all.
    pub(crate) async fn start(&self, space: &Space) -> Result<Duration> {
        let ours = format!("app={PLAIN}");
        space.gone::<Pod>(&ours, STARTED).await?;
        let start = Instant::now();
        scale(space, PLAIN, 1).await?;
        first_answer(pod_address(space, &ours).await?).await?;
        let took = start.elapsed();
        scale(space, PLAIN, 0).await?;
        Ok(took)
    }
}

/// The address of the first pod that gets one.
async fn pod_address(space: &Space, selector: &str) -> Result<Gateway> {
    let ours = WatchParams::default().labels(selector).timeout(60);
    let pods = space.api::<Pod>();
    let mut changes = pods.watch(&ours, "0").await?.boxed();
    while let Some(change) = changes.try_next().await? {
        if let WatchEvent::Added(pod) | WatchEvent::Modified(pod) = change
            && let Some(ip) = pod.status.and_then(|status| status.pod_ip)
        {
            return Ok(Gateway::new(SocketAddr::new(ip.parse()?, PORT)));
        }
    }
    bail!("no pod with {selector} has got an address")
}

/// Sets the number of pods of a Deployment.
pub(crate) async fn scale(space: &Space, name: &str, replicas: i32) -> Result<()> {
    let patch = json!({"spec": {"replicas": replicas}});
    let api = space.api::<Deployment>();
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Returns as soon as there answers anything with 200.
pub(crate) async fn first_answer(gateway: Gateway) -> Result<()> {
    let deadline = Instant::now() + STARTED;
    loop {
        let answer = gateway.get_within(Duration::from_secs(1), PLAIN, "/").await;
        match answer {
            Ok(answer) if answer.status == 200 => return Ok(()),
            _ if Instant::now() < deadline => sleep(Duration::from_millis(5)).await,
            last => bail!("{} does not answer: {last:?}", gateway.address()),
        }
    }
}

/// The starts of a Deployment, as what became of requests.
pub(crate) fn outcome(mut latencies: Vec<Duration>) -> Outcome {
    latencies.sort_unstable();
    Outcome {
        latencies,
        ..Outcome::default()
    }
}

fn next<K: DeserializeOwned>(documents: &mut serde_yaml::Deserializer<'_>) -> Result<K> {
    let document = documents.next().context("a manifest is missing")?;
    Ok(K::deserialize(document)?)
}

fn address(service: &Service) -> Result<Gateway> {
    let spec = service.spec.as_ref();
    let ip = spec
        .and_then(|spec| spec.cluster_ip.as_ref())
        .context("no cluster address")?;
    Ok(Gateway::new(SocketAddr::new(ip.parse()?, 80)))
}
