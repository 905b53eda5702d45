//! The process `webhook`: answers the API server's admission requests over TLS
//! (contract/control-plane 1.2).
//!
//! The middle is pure: [`admission`] makes an answer from a request and the settings. Around it
//! stand the TLS listener, the certificates in a Secret, the webhook configurations that tell API
//! servers of us, and the dry run of a pod.

mod admission;
mod authority;
mod body;
mod certificates;
mod config_map;
mod drain;
mod dry_run;
mod handlers;
mod hooks;
mod kind;
mod listener;
mod metrics;
mod patch;
mod review;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware;
use clap::{ArgAction, Args};
use crds::duration::{DurationError, Nanos};
use kube::Client;
use net::contract::{env, name, port};
use runtime::admin::{self, Admin};
use runtime::kube::settings;
use runtime::metrics::Rendered;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Our name in logs and in old names of metrics.
const COMPONENT: &str = "webhook";

/// Settings of the webhook.
#[derive(Clone, Debug, Args)]
pub(crate) struct WebhookArguments {
    /// Namespace of the system.
    #[arg(long, env = env::SYSTEM_NAMESPACE, default_value = name::SYSTEM_NAMESPACE)]
    pub(crate) system_namespace: String,
    /// Port for admission requests.
    #[arg(long, env = "WEBHOOK_PORT", default_value_t = port::WEBHOOK)]
    pub(crate) port: u16,
    /// Core Service in front of this process; the certificate is for its names.
    #[arg(long, env = "WEBHOOK_NAME", default_value = "webhook")]
    pub(crate) service: String,
    /// Secret that holds the certificate.
    #[arg(long, env = "WEBHOOK_SECRET_NAME", default_value = "webhook-certs")]
    pub(crate) secret: String,
    /// How long a new certificate is valid: `720h`, `30m`.
    #[arg(long, env = "WEBHOOK_CERTIFICATE_LIFETIME", default_value = "720h", value_parser = duration)]
    pub(crate) certificate_lifetime: Duration,
    /// How long before its end a certificate is replaced; at most half its lifetime.
    #[arg(long, env = "WEBHOOK_CERTIFICATE_RENEW_BEFORE", default_value = "120h", value_parser = duration)]
    pub(crate) certificate_renew_before: Duration,
    /// Leaves the webhook configurations without owner. Then they outlive the namespace of the
    /// system, and one that is deleted is not made again.
    #[arg(long, env = "WEBHOOK_DISABLE_NAMESPACE_OWNERSHIP", default_value_t = false, action = ArgAction::Set)]
    pub(crate) disable_namespace_ownership: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let nanos: Nanos = text
        .parse()
        .map_err(|error: DurationError| error.to_string())?;
    nanos.to_std().ok_or_else(|| format!("{text} is negative"))
}

/// Runs until shutdown.
pub(crate) async fn run(arguments: WebhookArguments) -> anyhow::Result<ExitCode> {
    runtime::log::init(COMPONENT);
    let tasks = Tasks::new(Shutdown::on_signals()?);
    let admin = Admin::default();
    let registry = admin.registry.clone();
    let certified = admin.ready.gate("certificates");
    for port in [port::ADMIN, port::METRICS] {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        tasks.spawn(
            "admin",
            admin::serve(address, admin.clone(), tasks.shutdown().clone()),
        );
    }
    let client = runtime::kube::client().await?;
    let settings = settings::watch(&tasks, &client, &arguments.system_namespace).await;
    let admissions = Arc::new(metrics::Admissions::default());
    Rendered::register(&registry, "fermata_admissions", Arc::clone(&admissions))?;
    settings::follow_old_names(&tasks, settings.clone(), COMPONENT, admissions.old.clone());
    let server = Arc::new(handlers::Server {
        settings,
        admissions,
        pods: dry_run::Pods::new(client.clone()),
        room: body::Room::default(),
    });
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.port));
    let sockets = TcpListener::bind(address).await?;
    let (sender, receiver) = watch::channel(None);
    let hooks = hooks::Hooks::watch(&tasks, &client, wanted(&arguments, &client).await)?;
    let plan = arguments.into();
    let keeper = certificates::Keeper::new(&tasks, client, plan, hooks, sender, certified);
    tasks.spawn("certificates", keeper.run(tasks.shutdown().clone()));
    let drain = drain::Drain::new(tasks.shutdown().clone());
    tasks.spawn("admission", serve(sockets, receiver, server, drain));
    Ok(tasks.run().await)
}

async fn wanted(arguments: &WebhookArguments, client: &Client) -> hooks::Wanted {
    let namespace = arguments.system_namespace.clone();
    let owner = if arguments.disable_namespace_ownership {
        None
    } else {
        hooks::owner(client, &namespace).await
    };
    hooks::Wanted {
        namespace,
        service: arguments.service.clone(),
        owner,
    }
}

async fn serve(
    sockets: TcpListener,
    tls: watch::Receiver<Option<listener::Tls>>,
    server: Arc<handlers::Server>,
    drain: drain::Drain,
) -> Result<(), Infallible> {
    let watched = middleware::from_fn_with_state(drain.clone(), drain::watch);
    let router = handlers::router(server).layer(watched);
    listener::serve(sockets, tls, router, drain.wait()).await;
    Ok(())
}

impl From<WebhookArguments> for certificates::Plan {
    fn from(arguments: WebhookArguments) -> Self {
        const SHORTEST: Duration = Duration::from_secs(20);
        let lifetime = arguments.certificate_lifetime.max(SHORTEST);
        Self {
            namespace: arguments.system_namespace,
            service: arguments.service,
            secret: arguments.secret,
            lifetime,
            renew_before: arguments.certificate_renew_before.min(lifetime / 2),
        }
    }
}

#[cfg(test)]
mod tests;
