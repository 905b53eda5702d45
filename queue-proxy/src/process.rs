//! Puts the parts together and runs them.

use std::{
    convert::Infallible, net::SocketAddr, path::Path, process::ExitCode, sync::Arc, time::Duration,
};

use anyhow::Context as _;
use hyper::service::service_fn;
use net::{
    breaker::Breaker,
    contract::{certificate::FOLDER, port},
    request_log::RequestLog,
    serve::{ServeSettings, Transport, serve, serve_after},
    slots::Slots,
    tls::Tls,
    upstream::{Upstream, UpstreamSettings},
};
use runtime::{metrics::OldNames, shutdown::Shutdown, tasks::Tasks};
use tokio::{net::TcpListener, time::Instant};
use tracing::info;

use crate::{
    announce,
    args::{Args, drain_patience},
    certificate::OnDisk,
    drain::Drain,
    handler::{Client, Handler},
    metrics::Metrics,
    ports,
    readiness::Readiness,
    report::Reporter,
};

/// Requests that may wait for each one that the app may have (contract/data-plane 3.3).
const QUEUE_PER_SLOT: usize = 10;
/// Idle connections to an app without a limit.
const MAX_IDLE: usize = 1000;
/// An idle connection to the app is closed well before the app might: the shortest keep-alive
/// time of common servers is 2 s (gunicorn), and a new connection costs 40 µs here.
const APP_IDLE: Duration = Duration::from_secs(1);
/// How long upgraded connections get after everything else.
const TUNNEL_PATIENCE: Duration = Duration::from_secs(60);

/// A port for requests.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
    tls: Option<Tls>,
}

/// Runs the sidecar until SIGTERM and the drain that follows.
///
/// # Errors
/// When a port is taken, or the process may not do what it has to.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::on_signals().context("can't listen to signals")?;
    let tasks = Tasks::new(shutdown.clone());
    let port = Port::plain(bind(args.serving_port).await?);
    let handler = Arc::new(handler(&args)?);
    if let Some(encrypted) = encrypted(&tasks, &args).await? {
        spawn_requests(
            &tasks,
            "requests over TLS",
            encrypted,
            &handler,
            args.bounds,
        );
    }
    spawn_starter(&tasks, &handler.readiness);
    spawn_herald(&tasks, &args, &handler.readiness);
    spawn_ports(&tasks, &handler).await?;
    spawn_requests(&tasks, "requests", port, &handler, args.bounds);
    info!(
        port = args.serving_port,
        app = args.user_port,
        limit = args.limit,
        "Serving"
    );
    Ok(tasks.run().await)
}

/// Makes the handler of a pod.
///
/// # Errors
/// When there is no thread for the request log.
pub fn handler(args: &Args) -> anyhow::Result<Handler> {
    let slots = args.limit.map(|limit| {
        let depth = limit.saturating_mul(QUEUE_PER_SLOT);
        Slots::new(Breaker::new(limit, depth))
    });
    let observability = &args.observability;
    let log = if observability.request_log || observability.probe_log {
        let template = observability.template.as_deref();
        let log = RequestLog::start(template);
        Some(log.context("can't start the request log")?)
    } else {
        None
    };
    let old = OldNames::new(observability.metrics_compat == "legacy");
    let metrics = Metrics::new(args.identity.clone(), slots.clone(), old);
    let app = app(args);
    Ok(Handler {
        app: Arc::clone(&app),
        slots,
        limits: args.limits,
        readiness: Readiness::new(args.checks.clone(), app),
        drain: Drain::new(drain_patience(&args.limits)),
        reporter: Reporter::new(args.identity.pod.clone()),
        metrics: Arc::new(metrics),
        log: log.clone().filter(|_| observability.request_log),
        probe_log: log.filter(|_| observability.probe_log),
        head: args.bounds.head,
        identity: Arc::new(args.identity.clone()),
    })
}

fn app(args: &Args) -> Arc<Upstream> {
    let settings = UpstreamSettings {
        // Nothing on loopback takes long, but an app with a full backlog lets a SYN wait 1 s.
        connect_timeout: Duration::from_secs(10),
        idle_timeout: APP_IDLE,
        max_idle: args.limit.unwrap_or(MAX_IDLE),
        keep_alive: None,
        ..UpstreamSettings::default()
    };
    Upstream::new(SocketAddr::from(([127, 0, 0, 1], args.user_port)), settings)
}

fn spawn_starter(tasks: &Tasks, readiness: &Readiness) {
    let (readiness, shutdown) = (readiness.clone(), tasks.shutdown().clone());
    tasks.spawn("readiness", async move {
        tokio::select! {
            () = readiness.watch_start() => shutdown.wait().await,
            () = shutdown.wait() => {}
        }
        Ok::<_, Infallible>(())
    });
}

fn spawn_herald(tasks: &Tasks, args: &Args, readiness: &Readiness) {
    let Some(herald) = args.herald.clone() else {
        return;
    };
    let (identity, shutdown) = (args.identity.clone(), tasks.shutdown().clone());
    let readiness = readiness.clone();
    tasks.spawn("herald", async move {
        tokio::select! {
            () = announce::when_ready(herald, identity, readiness) => shutdown.wait().await,
            () = shutdown.wait() => {}
        }
        Ok::<_, Infallible>(())
    });
}

async fn spawn_ports(tasks: &Tasks, handler: &Handler) -> anyhow::Result<()> {
    let (drain, sigterm) = (handler.drain.clone(), tasks.shutdown().clone());
    let listener = bind(port::QUEUE_ADMIN).await?;
    let until = left(&drain, &sigterm);
    tasks.spawn("admin", async move {
        ports::admin(listener, drain, sigterm, until).await;
        Ok::<_, Infallible>(())
    });
    let (reporter, listener) = (handler.reporter.clone(), bind(port::METRICS).await?);
    let until = left(&handler.drain, tasks.shutdown());
    tasks.spawn("statistics", async move {
        tokio::select! {
            () = ports::statistics(listener, reporter.clone(), until) => {}
            () = reporter.run() => {}
        }
        Ok::<_, Infallible>(())
    });
    let (metrics, listener) = (
        Arc::clone(&handler.metrics),
        bind(port::USER_METRICS).await?,
    );
    let until = left(&handler.drain, tasks.shutdown());
    tasks.spawn("metrics", async move {
        ports::metrics(listener, metrics, until).await;
        Ok::<_, Infallible>(())
    });
    Ok(())
}

/// The port for requests over TLS, where the pod has a certificate.
async fn encrypted(tasks: &Tasks, args: &Args) -> anyhow::Result<Option<Port>> {
    let Some(certificate) = OnDisk::open(Path::new(FOLDER)).context("can't use the certificate")?
    else {
        return Ok(None);
    };
    let tls = Tls::internal(Arc::new(certificate.shown()), &args.tls)?;
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("certificate", async move {
        tokio::select! {
            () = certificate.follow() => {}
            () = shutdown.wait() => {}
        }
        Ok::<_, Infallible>(())
    });
    let port = Port::encrypted(bind(args.serving_tls_port).await?, tls);
    info!(port = args.serving_tls_port, "Serving over TLS");
    Ok(Some(port))
}

fn spawn_requests(
    tasks: &Tasks,
    name: &'static str,
    port: Port,
    handler: &Arc<Handler>,
    bounds: ServeSettings,
) {
    let handler = Arc::clone(handler);
    let (drain, until) = (
        handler.drain.clone(),
        left(&handler.drain, tasks.shutdown()),
    );
    tasks.spawn(name, async move {
        port.requests(handler, bounds, until).await;
        drain.tunnels_ended(Instant::now() + TUNNEL_PATIENCE).await;
        Ok::<_, Infallible>(())
    });
}

// === impl Port ===

impl Port {
    /// Requests in the open.
    pub fn plain(listener: TcpListener) -> Self {
        let tls = None;
        Self { listener, tls }
    }

    /// Requests over TLS.
    pub fn encrypted(listener: TcpListener, tls: Tls) -> Self {
        let tls = Some(tls);
        Self { listener, tls }
    }

    /// Serves requests until `until`, then those in flight.
    pub async fn requests(
        self,
        handler: Arc<Handler>,
        bounds: ServeSettings,
        until: impl Future<Output = ()>,
    ) {
        let transport = match self.tls {
            None => Transport::Plain,
            Some(_) => Transport::Tls,
        };
        let service = move |address| {
            let handler = Arc::clone(&handler);
            let client = Client { address, transport };
            service_fn(move |request| {
                let handler = Arc::clone(&handler);
                async move { Ok::<_, Infallible>(handler.handle(client, request).await) }
            })
        };
        match self.tls {
            None => serve(self.listener, bounds, service, until).await,
            Some(tls) => {
                let handshake = |stream| tls.clone().handshake(stream);
                serve_after(handshake, self.listener, bounds, service, until).await;
            }
        }
    }
}

/// SIGTERM came, and nobody sends requests any more.
fn left(drain: &Drain, sigterm: &Shutdown) -> impl Future<Output = ()> + Send + use<> {
    let (drain, sigterm) = (drain.clone(), sigterm.clone());
    async move {
        sigterm.wait().await;
        drain.run().await;
    }
}

async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    ports::bind(port)
        .await
        .with_context(|| format!("can't listen on port {port}"))
}
