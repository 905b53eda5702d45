//! The assembly of the process: what is watched, listened to and run.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use clap::Args;
use kube::runtime::watcher;
use kube::{Api, Client};
use net::contract::{env, name, port};
use prometheus::Registry;
use runtime::admin::{self, Admin};
use runtime::kube::lease::{Election, Identity, Share, Sharing};
use runtime::kube::settings;
use runtime::kube::watch::{Watchable, Watched, start};
use runtime::ready::Ready;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::info;

use crate::collect::{self, Desk};
use crate::explain::{self, Sources};
use crate::gauges::Gauges;
use crate::kpa::{self, ClientHandle, Watches, World};
use crate::peers::{self, Own, Peers};

/// What the leases begin with, as upstream calls them (contract/data-plane 1.10).
const LEASES: &str = "autoscaler-bucket-";
/// Label of our own pods.
pub(crate) const OWN_PODS: &str = "app=autoscaler";

/// How the process runs.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Name of our own pod.
    #[arg(long, env = env::POD_NAME, default_value = "autoscaler")]
    pod_name: String,
    /// Address of our own pod.
    #[arg(long, env = env::POD_IP, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pod_ip: IpAddr,
    /// Namespace of the system's own objects.
    #[arg(long, env = env::SYSTEM_NAMESPACE, default_value = name::SYSTEM_NAMESPACE)]
    system_namespace: String,
    /// Domain of the cluster's Services.
    #[arg(long, env = net::contract::env::CLUSTER_DOMAIN, default_value = net::contract::name::CLUSTER_DOMAIN)]
    cluster_domain: String,
}

/// Runs the autoscaler until it is asked to stop.
///
/// # Errors
/// When there is no cluster, or an address can't be bound.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::on_signals()?;
    let tasks = Tasks::new(shutdown.clone());
    let client = runtime::kube::client().await?;
    let (registry, ready) = (Registry::new(), Ready::default());
    let synced = ready.gate("watches");
    let (share, election) = candidacy(&options);
    let world = world(&tasks, &client, &registry, &options, share).await?;
    let sources = Sources {
        histories: Arc::clone(&world.histories),
        share: world.share.clone(),
        own: options.pod_ip,
    };
    serve_pages(&tasks, registry, &ready, explain::routes(sources));
    let desk = Desk {
        ledger: Arc::clone(&world.ledger),
        peers: Arc::clone(&world.peers),
        shutdown: shutdown.clone(),
    };
    let stats = TcpListener::bind(every_address(port::STATS)).await?;
    meet_peers(&tasks, &client, &options, &desk);
    tasks.spawn("collect", collect::serve(stats, desk));
    tasks.spawn("kpa", kpa::run(Arc::clone(&world), shutdown.clone()));
    info!(pod = options.pod_name, ip = %options.pod_ip, "autoscaler has started");
    tokio::select! {
        () = world.watches.wait_until_synced() => {
            // Not before: a replica that does not see its revisions must not hold their lease.
            election.start(&tasks, &client, &options.system_namespace, world.settings.clone());
            synced.open();
        }
        () = shutdown.wait() => {}
    }
    Ok(tasks.run().await)
}

/// What all tenders work with. Returns once the settings were read.
async fn world(
    tasks: &Tasks,
    client: &Client,
    registry: &Registry,
    options: &Options,
    share: Share,
) -> anyhow::Result<Arc<World>> {
    let (watches, gauges) = (watches(tasks, client), Gauges::new(registry)?);
    let settings = settings::watch(tasks, client, &options.system_namespace).await;
    settings::follow_old_names(tasks, settings.clone(), "autoscaler", gauges.old_names());
    Ok(Arc::new(World {
        watches,
        settings,
        client: ClientHandle(client.clone()),
        share,
        ledger: Arc::default(),
        peers: Arc::new(Peers::new(registry)?),
        pods: Arc::default(),
        writers: Arc::new(Semaphore::new(kpa::WRITERS)),
        histories: Arc::default(),
        gauges,
        cluster_domain: options.cluster_domain.clone(),
    }))
}

/// Our candidacy for the leases: they stay where they are, for their holder has a history to lose.
fn candidacy(options: &Options) -> (Share, Election) {
    let identity = Identity::of_address(&options.pod_name, &options.pod_ip.to_string());
    let mut election = Election::new(identity, Sharing::Sticky);
    (election.enter(LEASES), election)
}

/// Passes reports on to the other replicas.
fn meet_peers(tasks: &Tasks, client: &Client, options: &Options, desk: &Desk) {
    let api = Api::namespaced(client.clone(), &options.system_namespace);
    let pods = start(tasks, api, watcher::Config::default().labels(OWN_PODS));
    let own = Own {
        pod: options.pod_name.clone(),
        address: options.pod_ip,
    };
    let (peers, ledger) = (Arc::clone(&desk.peers), Arc::clone(&desk.ledger));
    let run = peers::run(peers, pods, own, ledger, desk.shutdown.clone());
    tasks.spawn("peers", run);
}

/// Pages for kubelet and people on one port, metrics also on the port where they are scraped.
pub(crate) fn serve_pages(tasks: &Tasks, registry: Registry, ready: &Ready, routes: Router) {
    let pages = Admin {
        registry,
        ready: ready.clone(),
        routes,
    };
    for (name, port) in [("admin", port::ADMIN), ("metrics", port::METRICS)] {
        let page = admin::serve(every_address(port), pages.clone(), tasks.shutdown().clone());
        tasks.spawn(name, page);
    }
}

fn watches(tasks: &Tasks, client: &Client) -> Watches {
    let of_revisions = || watcher::Config::default().labels(crds::name::serving::REVISION);
    Watches {
        autoscalers: all(tasks, client, watcher::Config::default()),
        paths: all(tasks, client, watcher::Config::default()),
        metrics: all(tasks, client, watcher::Config::default()),
        deployments: all(tasks, client, of_revisions()),
        pods: all(tasks, client, of_revisions()),
    }
}

/// Watches all objects of a kind that `config` chooses.
pub(crate) fn all<K: Watchable>(
    tasks: &Tasks,
    client: &Client,
    config: watcher::Config,
) -> Watched<K> {
    start(tasks, Api::all(client.clone()), config)
}

fn every_address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
}
