//! The cluster under test: its API, its gateway, the registry it pulls from.

use std::env;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Service, ServiceSpec};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::net::lookup_host;
use tokio::process::Command;

use crate::client::Gateway;

/// Namespace of the system. Names here are what users see, so tests spell them out.
pub const SYSTEM: &str = "knative-serving";
/// The Service in front of the activators.
const GATEWAY: &str = "fermata";
/// Registry in the files of `samples/`; the one of the embedded cluster.
pub const SAMPLE_REGISTRY: &str = "registry.local:5000";

/// A cluster where Fermata is installed.
#[derive(Clone)]
pub struct Cluster {
    /// Connection to its API.
    pub client: Client,
    /// Where requests from outside enter.
    pub gateway: Gateway,
    /// Where `make images` pushed to, as image names spell it.
    pub registry: String,
}

impl Cluster {
    /// Connects to the cluster of `KUBECONFIG`, whose registry is `REGISTRY`, or to the embedded one
    /// when they are unset. `GATEWAY` (host:port) overrides the address that the cluster tells.
    pub async fn connect() -> Result<Self> {
        let client = client().await?;
        let gateway = match env::var("GATEWAY") {
            Ok(address) => resolve(&address).await?,
            Err(_) => gateway(&client).await?,
        };
        let registry = env::var("REGISTRY").unwrap_or(SAMPLE_REGISTRY.to_owned());
        Ok(Self {
            client,
            gateway: Gateway::new(gateway),
            registry,
        })
    }

    /// The image of the small server in `samples/apps/hello`.
    pub fn hello_image(&self) -> String {
        format!("{}/samples/hello:1", self.registry)
    }

    /// The image of the app in `samples/apps/subject`.
    pub fn subject_image(&self) -> String {
        format!("{}/samples/subject:1", self.registry)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

/// The root of the source tree: of the one that `e2e/run` stands in, or else of the one that this was
/// built in. A program from the cache may have been built in another clone.
pub fn source_root() -> PathBuf {
    env::var_os("FERMATA_ROOT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        PathBuf::from,
    )
}

/// A program as it is in its image; `e2e/run` says where.
pub fn binary(name: &str) -> Result<PathBuf> {
    let folder =
        env::var_os("FERMATA_BINARIES").context("FERMATA_BINARIES is not set: use make")?;
    Ok(PathBuf::from(folder).join(name))
}

/// The kubeconfig of the cluster under test.
pub async fn kubeconfig() -> Result<PathBuf> {
    match env::var_os("KUBECONFIG") {
        Some(path) => Ok(PathBuf::from(path)),
        None => embedded_kubeconfig().await,
    }
}

async fn client() -> Result<Client> {
    let path = kubeconfig().await?;
    let file = Kubeconfig::read_from(&path)
        .with_context(|| format!("there is no cluster at {}: run make up", path.display()))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    client.apiserver_version().await.with_context(|| {
        format!(
            "the cluster of {} does not answer: run make up",
            path.display()
        )
    })?;
    Ok(client)
}

/// Whether the cluster under test is the embedded one, whose processes tests may disturb.
pub async fn is_embedded() -> Result<bool> {
    match env::var_os("KUBECONFIG") {
        Some(path) => Ok(path == embedded_kubeconfig().await?),
        None => Ok(true),
    }
}

async fn embedded_kubeconfig() -> Result<PathBuf> {
    let program = source_root().join("e2e/cluster/cluster");
    let output = Command::new(&program).arg("kubeconfig").output().await;
    let output = output.with_context(|| format!("{} can't be run", program.display()))?;
    ensure!(
        output.status.success(),
        "cluster kubeconfig: {}",
        output.status
    );
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// The address of the LoadBalancer Service; its node port when nobody gave it an address.
async fn gateway(client: &Client) -> Result<SocketAddr> {
    let api: Api<Service> = Api::namespaced(client.clone(), SYSTEM);
    let service = api
        .get(GATEWAY)
        .await
        .with_context(|| format!("Service {SYSTEM}/{GATEWAY} can't be read: run make deploy"))?;
    if let Some(host) = balancer_host(&service) {
        return resolve(&format!("{host}:80")).await;
    }
    let port = node_port(service.spec.as_ref())
        .context("Service fermata has neither an address nor a node port: set GATEWAY")?;
    let nodes = Api::<Node>::all(client.clone())
        .list(&ListParams::default())
        .await?;
    let host = nodes.items.iter().find_map(node_address);
    resolve(&format!(
        "{}:{port}",
        host.context("no node has an address: set GATEWAY")?
    ))
    .await
}

fn balancer_host(service: &Service) -> Option<String> {
    let ingress = service
        .status
        .as_ref()?
        .load_balancer
        .as_ref()?
        .ingress
        .as_ref()?
        .first()?;
    ingress.ip.clone().or_else(|| ingress.hostname.clone())
}

fn node_port(spec: Option<&ServiceSpec>) -> Option<i32> {
    spec?
        .ports
        .iter()
        .flatten()
        .find(|port| port.port == 80)?
        .node_port
}

fn node_address(node: &Node) -> Option<String> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let of = |kind: &str| addresses.iter().find(|address| address.type_ == kind);
    of("ExternalIP")
        .or_else(|| of("InternalIP"))
        .map(|address| address.address.clone())
}

async fn resolve(address: &str) -> Result<SocketAddr> {
    let mut found = lookup_host(address)
        .await
        .with_context(|| format!("the gateway's address {address} can't be resolved"))?;
    found
        .next()
        .with_context(|| format!("the gateway's name {address} has no address"))
}
