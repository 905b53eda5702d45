//! The assembly of the process: what is watched, listened to and run.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use kube::runtime::watcher;
use kube::{Api, Client};
use net::contract::{env, name, port};
use prometheus::Registry;
use runtime::admin::{self, Admin};
use runtime::kube::settings;
use runtime::kube::watch::{Watchable, Watched, start};
use runtime::ready::Ready;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use tokio::net::TcpListener;
use tracing::info;

use crate::collect;
use crate::explain;
use crate::gauges::Gauges;
use crate::history::Histories;
use crate::kpa::{self, ClientHandle, Watches, World};
use crate::ledger::Ledger;

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
    let registry = Registry::new();
    let world = Arc::new(World {
        watches: watches(&tasks, &client),
        settings: settings::watch(&tasks, &client, &options.system_namespace).await,
        client: ClientHandle(client),
        ledger: Arc::default(),
        pods: Arc::default(),
        histories: Arc::default(),
        gauges: Gauges::new(&registry)?,
        cluster_domain: options.cluster_domain,
    });
    let ready = Ready::default();
    serve_pages(&tasks, registry, &ready, &world.histories);
    let stats = TcpListener::bind(every_address(port::STATS)).await?;
    let ledger: Arc<Ledger> = Arc::clone(&world.ledger);
    tasks.spawn("collect", collect::serve(stats, ledger, shutdown.clone()));
    let (synced, watches) = (ready.gate("watches"), world.watches.clone());
    let stop = shutdown.clone();
    tasks.spawn("readiness", async move {
        tokio::select! {
            () = watches.wait_until_synced() => synced.open(),
            () = stop.wait() => {}
        }
        stop.wait().await;
        Ok::<(), std::convert::Infallible>(())
    });
    tasks.spawn("kpa", kpa::run(world, shutdown));
    info!(pod = options.pod_name, ip = %options.pod_ip, "autoscaler has started");
    Ok(tasks.run().await)
}

/// Pages for kubelet and people on one port, metrics also on the port where they are scraped.
fn serve_pages(tasks: &Tasks, registry: Registry, ready: &Ready, histories: &Arc<Histories>) {
    let routes = explain::routes(Arc::clone(histories));
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

fn all<K: Watchable>(tasks: &Tasks, client: &Client, config: watcher::Config) -> Watched<K> {
    start(tasks, Api::all(client.clone()), config)
}

fn every_address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
}
