//! The process `webhook`: answers the API server's admission requests over TLS
//! (contract/control-plane 1.2).
//!
//! The middle is pure: [`admission`] makes an answer from a request and the settings. Around it
//! stand the TLS listener, the certificates in a Secret, and the dry run of a pod.

mod admission;
mod authority;
mod bundle;
mod certificates;
mod config_map;
mod dry_run;
mod handlers;
mod kind;
mod listener;
mod patch;
mod review;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use net::contract::{env, name, port};
use runtime::admin::{self, Admin};
use runtime::kube::settings;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use tokio::net::TcpListener;
use tokio::sync::watch;

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
    /// How many days a new certificate is valid.
    #[arg(long, env = "WEBHOOK_CERTIFICATE_DAYS", default_value_t = 30)]
    pub(crate) certificate_days: u16,
    /// How many days before its end a certificate is replaced.
    #[arg(long, env = "WEBHOOK_RENEW_DAYS", default_value_t = 5)]
    pub(crate) renew_days: u16,
    /// Pause between two looks at Secret and webhook configurations, seconds.
    #[arg(long, env = "WEBHOOK_CHECK_SECONDS", default_value_t = 10)]
    pub(crate) check_seconds: u64,
}

/// Runs until shutdown.
pub(crate) async fn run(arguments: WebhookArguments) -> anyhow::Result<ExitCode> {
    runtime::log::init("webhook");
    let tasks = Tasks::new(Shutdown::on_signals()?);
    let admin = Admin::default();
    let certified = admin.ready.gate("certificates");
    for port in [port::ADMIN, port::METRICS] {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        tasks.spawn(
            "admin",
            admin::serve(address, admin.clone(), tasks.shutdown().clone()),
        );
    }
    let client = runtime::kube::client().await?;
    let server = Arc::new(handlers::Server {
        settings: settings::watch(&tasks, &client, &arguments.system_namespace).await,
        pods: dry_run::Pods::new(client.clone()),
    });
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.port));
    let sockets = TcpListener::bind(address).await?;
    let (sender, receiver) = watch::channel(None);
    let keeper = certificates::Keeper::new(client, arguments.into(), sender, certified);
    tasks.spawn("certificates", keeper.run(tasks.shutdown().clone()));
    tasks.spawn("admission", serve(sockets, receiver, server, tasks.clone()));
    Ok(tasks.run().await)
}

async fn serve(
    sockets: TcpListener,
    tls: watch::Receiver<Option<listener::Tls>>,
    server: Arc<handlers::Server>,
    tasks: Tasks,
) -> std::io::Result<()> {
    let shutdown = tasks.shutdown().clone();
    let listener = listener::listen(sockets, tls, &tasks);
    axum::serve(listener, handlers::router(server))
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
}

impl From<WebhookArguments> for certificates::Plan {
    fn from(arguments: WebhookArguments) -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            namespace: arguments.system_namespace,
            service: arguments.service,
            secret: arguments.secret,
            lifetime: day * u32::from(arguments.certificate_days.max(1)),
            renew_before: day * u32::from(arguments.renew_days),
            pause: Duration::from_secs(arguments.check_seconds.max(1)),
        }
    }
}

#[cfg(test)]
mod tests;
