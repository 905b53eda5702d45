//! The class `hpa.autoscaling.knative.dev`: Kubernetes' own autoscaler scales the revision, by CPU,
//! memory or a metric of the user (contract/data-plane 1.12). One HorizontalPodAutoscaler for each
//! PodAutoscaler; its way is always the direct one, and it never goes to zero.

mod desired;
mod reconcile;
mod status;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use clap::Args;
use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use crds::networking::ServerlessService;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use net::contract::{env, name};
use prometheus::Registry;
use runtime::kube::lease::{Election, Identity, Share, Sharing};
use runtime::kube::settings;
use runtime::kube::watch::Watched;
use runtime::ready::Ready;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use tokio::sync::watch;
use tracing::info;

use crate::serve::{all, serve_pages};
use reconcile::{Context, reconcile, retry};

/// What the leases begin with, as upstream calls them.
const LEASES: &str = "hpaautoscaler.knative.dev.serving.pkg.reconciler.autoscaling.hpa.reconciler.";
/// PodAutoscalers that are reconciled at the same time.
const WORKERS: u16 = 16;

/// How the process runs.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Name of our own pod.
    #[arg(long, env = env::POD_NAME)]
    pod_name: Option<String>,
    /// Namespace of the system's own objects.
    #[arg(long, env = env::SYSTEM_NAMESPACE, default_value = name::SYSTEM_NAMESPACE)]
    system_namespace: String,
}

/// What is watched.
#[derive(Clone, Debug)]
pub struct Watches {
    /// Every PodAutoscaler.
    pub autoscalers: Watched<PodAutoscaler>,
    /// Every ServerlessService.
    pub paths: Watched<ServerlessService>,
    /// Every HorizontalPodAutoscaler: a name may be taken by one that is not ours.
    pub scalers: Watched<HorizontalPodAutoscaler>,
}

/// Runs until the process is asked to stop.
///
/// # Errors
/// When there is no cluster, or an address can't be bound.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::on_signals()?;
    let tasks = Tasks::new(shutdown.clone());
    let client = runtime::kube::client().await?;
    let settings = settings::watch(&tasks, &client, &options.system_namespace).await;
    let ready = Ready::default();
    let synced = ready.gate("watches");
    serve_pages(&tasks, Registry::new(), &ready, Router::new());
    let watches = Watches {
        autoscalers: all(&tasks, &client, watcher::Config::default()),
        paths: all(&tasks, &client, watcher::Config::default()),
        scalers: all(&tasks, &client, watcher::Config::default()),
    };
    tokio::select! {
        () = watches.wait_until_synced() => {}
        () = shutdown.wait() => return Ok(tasks.run().await),
    }
    let identity = Identity::of_process(options.pod_name.as_deref());
    let mut election = Election::new(identity, Sharing::Even);
    let share = election.enter(LEASES);
    let namespace = &options.system_namespace;
    election.start(&tasks, &client, namespace, settings.clone());
    start(&tasks, client, &watches, &share, settings);
    synced.open();
    info!(
        pod = options.pod_name,
        "autoscaler of the HPA class has started"
    );
    Ok(tasks.run().await)
}

/// Reconciles the PodAutoscalers of our class that `share` says are ours, until shutdown.
pub fn start(
    tasks: &Tasks,
    client: Client,
    watches: &Watches,
    share: &Share,
    settings: watch::Receiver<Arc<Settings>>,
) {
    let shutdown = tasks.shutdown().clone();
    let autoscalers = &watches.autoscalers;
    let controller = Controller::for_shared_stream(autoscalers.subscribe(), autoscalers.store())
        .owns_shared_stream(watches.paths.subscribe())
        .owns_shared_stream(watches.scalers.subscribe())
        .reconcile_all_on(changes(settings.clone()))
        .reconcile_on(gained(share, autoscalers.store()))
        .with_config(Config::default().concurrency(WORKERS))
        .graceful_shutdown_on(async move { shutdown.wait().await });
    let context = Arc::new(Context::new(client, settings, share.clone(), watches));
    tasks.spawn("hpa", async move {
        let passes = controller.run(reconcile, retry, context);
        // Failures were logged where the pause was chosen.
        passes.for_each(|_| std::future::ready(())).await;
        Ok::<(), Infallible>(())
    });
}

impl Watches {
    async fn wait_until_synced(&self) {
        self.autoscalers.wait_until_synced().await;
        self.paths.wait_until_synced().await;
        self.scalers.wait_until_synced().await;
    }
}

/// A tick for each change of the config maps.
fn changes(settings: watch::Receiver<Arc<Settings>>) -> BoxStream<'static, ()> {
    let changes = stream::unfold(settings, |mut settings| async move {
        settings.changed().await.ok().map(|()| ((), settings))
    });
    changes.boxed()
}

/// The PodAutoscalers of every part that has become ours: its last holder may have stopped half-way.
fn gained(
    share: &Share,
    autoscalers: Store<PodAutoscaler>,
) -> impl Stream<Item = ObjectRef<PodAutoscaler>> + Send + use<> {
    let gained = share.gains().map(move |gain| {
        let ours =
            |it: &PodAutoscaler| gain.covers(&it.namespace().unwrap_or_default(), &it.name_any());
        let found = autoscalers.state_filter(ours);
        stream::iter(found.into_iter().map(|it| ObjectRef::from_obj(&*it)))
    });
    gained.flatten()
}

#[cfg(test)]
mod tests;
