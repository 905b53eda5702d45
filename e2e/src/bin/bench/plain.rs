//! The same app without us: a Deployment, and a core Service for those who want one.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use e2e::client::Gateway;
use e2e::load::Outcome;
use e2e::namespace::Space;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep};

/// Where the app listens.
const PORT: u16 = 8080;
const STARTED: Duration = Duration::from_secs(60);
const MANIFESTS: &str = include_str!("plain.yaml");

/// For an app that shall ask for no CPU, as is Kubernetes' default.
pub(crate) const NO_CPU: &str = "0";

/// A Deployment of the app.
#[derive(Debug)]
pub(crate) struct Plain {
    name: String,
}

/// Whether its pods have a token of a service account, as is Kubernetes' default. It is a volume, and
/// the first one costs a start about 300 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Mounted,
    None,
}

// === impl Plain ===

impl Plain {
    /// A Deployment `name`, with no pod. Its container asks for `cpu`.
    pub(crate) async fn create(space: &Space, name: &str, token: Token, cpu: &str) -> Result<Self> {
        let image = space.cluster.hello_image();
        let mut documents = documents(MANIFESTS, name, &image, token, cpu);
        space.apply(&next::<Deployment>(&mut documents)?).await?;
        Ok(Self {
            name: name.to_owned(),
        })
    }

    /// How long it took from the order to the first answer at the address that the API shows, from
    /// no pod at all.
    pub(crate) async fn start(&self, space: &Space) -> Result<Duration> {
        let ours = format!("app={}", self.name);
        space.gone::<Pod>(&ours, STARTED).await?;
        let start = Instant::now();
        scale(space, &self.name, 1).await?;
        first_answer(pod_address(space, &ours).await?).await?;
        let took = start.elapsed();
        scale(space, &self.name, 0).await?;
        Ok(took)
    }

    /// One pod behind a core Service.
    pub(crate) async fn serve(&self, space: &Space) -> Result<Gateway> {
        let mut documents = documents(MANIFESTS, &self.name, "", Token::None, "").skip(1);
        let service = space.apply(&next::<Service>(&mut documents)?).await?;
        scale(space, &self.name, 1).await?;
        let gateway = address(&service)?;
        first_answer(gateway).await?;
        Ok(gateway)
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
        let answer = gateway.get_within(Duration::from_secs(1), "app", "/").await;
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

fn documents(
    manifests: &str,
    name: &str,
    image: &str,
    token: Token,
    cpu: &str,
) -> impl Iterator<Item = String> {
    let mounted = token == Token::Mounted;
    let filled = manifests
        .replace("NAME", name)
        .replace("TOKEN", &mounted.to_string())
        .replace("APP_IMAGE", image)
        .replace("CPU", cpu);
    let documents: Vec<_> = filled.split("---\n").map(str::to_owned).collect();
    documents.into_iter()
}

/// The next object of several documents.
pub(crate) fn next<K: DeserializeOwned>(documents: &mut impl Iterator<Item = String>) -> Result<K> {
    let document = documents.next().context("a manifest is missing")?;
    Ok(serde_yaml::from_str(&document)?)
}

/// Where a core Service is reached.
pub(crate) fn address(service: &Service) -> Result<Gateway> {
    let spec = service.spec.as_ref();
    let ip = spec
        .and_then(|spec| spec.cluster_ip.as_ref())
        .context("no cluster address")?;
    Ok(Gateway::new(SocketAddr::new(ip.parse()?, 80)))
}
