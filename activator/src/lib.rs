//! The always-on front door of Fermata: ingress and buffer in one process.
//!
//! ```text
//! serve ─ handler ─ route (Ingress objects) ─ fleet (Revisions, Pods) ─ throttle ─ pod
//!            └ report ─ autoscaler                └ prober
//! ```
//!
//! [`build`] binds and starts everything that needs no cluster; [`follow`] feeds it from one.

pub mod announcements;
pub mod args;
pub mod certificates;
pub mod cold;
pub mod files;
pub mod fleet;
pub mod follow;
pub mod handler;
pub mod internal;
pub mod log;
pub mod metrics;
pub mod pods;
mod prober;
pub mod report;
pub mod revision;
pub mod route;
pub mod serve;
pub mod services;
pub mod throttle;
pub mod watch;

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use futures::future::join_all;
use kube::{Api, Client};
use net::tls::Tls;
use prometheus::Registry;
use runtime::admin::{self, Admin};
use runtime::kube::event::Recorder;
use runtime::kube::requests;
use runtime::metrics::OldNames;
use runtime::ready::{Gate, Ready};
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;

use crate::announcements::Announcements;
use crate::args::Args;
use crate::certificates::Certificates;
use crate::fleet::Fleet;
use crate::handler::{Door, Handler, Transport};
use crate::internal::Internal;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::route::{Side, TableReader};
use crate::serve::{Drain, Port, bind};
use crate::services::Services;

/// A front door that runs.
#[derive(Debug)]
pub struct Activator {
    /// The revisions it serves: to be fed.
    pub fleet: Arc<Fleet>,
    /// The certificates it shows: to be fed.
    pub certificates: Certificates,
    /// The system's own connections over TLS: to be fed.
    pub internal: Internal,
    /// The request log: to be told whether there is one.
    pub log: Log,
    /// The core Services that hosts may lead to: to be fed.
    pub services: Services,
    /// Whether metrics have their old names, too: to be fed.
    pub old_names: OldNames,
    /// Hears pods that announce themselves: to be given its key.
    pub announcements: Announcements,
    /// Where it listens.
    pub addresses: Addresses,
    /// Requested when the last request is answered: what requests need runs until then.
    pub drained: Shutdown,
}

/// Where a front door listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Requests from outside.
    pub external: SocketAddr,
    /// Requests from outside over TLS.
    pub external_tls: SocketAddr,
    /// Requests from inside.
    pub local: SocketAddr,
    /// Requests from inside over TLS.
    pub local_tls: SocketAddr,
    /// Requests that name their revision.
    pub revision: SocketAddr,
    /// The same over TLS.
    pub revision_tls: SocketAddr,
    /// Announcements of pods.
    pub announcements: SocketAddr,
}

/// Runs the activator of a cluster until `tasks` are asked to stop.
///
/// # Errors
/// When a port can't be bound.
pub fn start(args: &Args, client: Client, tasks: &Tasks) -> anyhow::Result<()> {
    let (registry, ready) = (Registry::new(), Ready::default());
    let live = route::Live::default();
    let Activator {
        fleet,
        certificates,
        internal,
        log,
        services,
        announcements,
        old_names,
        drained,
        ..
    } = build(args, live.reader(), &registry, tasks)?;
    follow_internal(args, &client, &internal, &ready, &drained, tasks);
    let system_maps = Api::namespaced(client.clone(), &args.system_namespace);
    requests::show_old_names("activator", old_names.clone());
    let observability = follow::observability(system_maps, log, old_names);
    until(&drained, tasks, "observability", observability);
    let ingresses = follow::ingresses(client.clone(), live, ready.gate("routes"));
    let revisions = follow::revisions(client.clone(), Arc::clone(&fleet), ready.gate("revisions"));
    let secrets = follow::secrets(client.clone(), certificates, ready.gate("certificates"));
    let services = follow::services(client.clone(), services, ready.gate("services"));
    let system_secrets = Api::namespaced(client.clone(), &args.system_namespace);
    let key = follow::announcement_key(system_secrets, announcements);
    let pod_name = Some(args.pod_name.clone());
    let events = Recorder::start(tasks, client.clone(), "fermata-activator", pod_name);
    let slow_starts = follow::slow_starts(Arc::clone(&fleet), events);
    let pods = follow::pods(client, fleet, ready.gate("pods"));
    until(&drained, tasks, "ingresses", ingresses);
    until(&drained, tasks, "revisions", revisions);
    until(&drained, tasks, "certificates", secrets);
    until(&drained, tasks, "services", services);
    until(&drained, tasks, "announcement key", key);
    until(&drained, tasks, "pods", pods);
    until(&drained, tasks, "slow starts", slow_starts);
    until(
        &drained,
        tasks,
        "readiness",
        unready(ready.gate("running"), tasks.shutdown().clone()),
    );
    let admin = Admin {
        registry,
        ready,
        ..Admin::default()
    };
    for port in [args.admin_port, args.metrics_port] {
        let address = SocketAddr::new(args.bind_ip, port);
        tasks.spawn(
            "admin",
            admin::serve(address, admin.clone(), drained.clone()),
        );
    }
    Ok(())
}

/// Follows what the system's own connections over TLS need.
fn follow_internal(
    args: &Args,
    client: &Client,
    internal: &Internal,
    ready: &Ready,
    drained: &Shutdown,
    tasks: &Tasks,
) {
    let with = || {
        let namespace = args.system_namespace.clone();
        (client.clone(), namespace, internal.clone())
    };
    let (client, namespace, internal) = with();
    let gate = ready.gate("internal certificate");
    let certificate = follow::internal_certificate(client, namespace, internal, gate);
    until(drained, tasks, "internal certificate", certificate);
    let (client, namespace, internal) = with();
    let secrets =
        follow::trusted_secrets(client, namespace, internal, ready.gate("trusted secrets"));
    until(drained, tasks, "trusted secrets", secrets);
    let (client, namespace, internal) = with();
    let maps = follow::trusted_maps(
        client,
        namespace,
        internal,
        ready.gate("trusted config maps"),
    );
    until(drained, tasks, "trusted config maps", maps);
}

/// Fails readiness as soon as we are asked to stop, long before we do.
async fn unready(running: Gate, shutdown: Shutdown) {
    running.open();
    shutdown.wait().await;
    running.close();
    pending().await
}

/// Binds the ports of requests and serves what `table` says from revisions that the caller feeds.
///
/// # Errors
/// When a port can't be bound.
pub fn build(
    args: &Args,
    table: TableReader,
    registry: &Registry,
    tasks: &Tasks,
) -> anyhow::Result<Activator> {
    let metrics =
        Arc::new(Metrics::new(registry, &args.pod_name).context("can't register the metrics")?);
    let (reporter, reports, socket) =
        report::build(args.stats_url(), args.pod_name.clone(), &metrics.stats);
    let internal = Internal::new(args.tls.clone());
    let trust = internal.trust.clone();
    let fleet = Fleet::trusting(trust, args.queue_bytes(), Arc::clone(&metrics));
    let announcements = Announcements::new(Arc::clone(&fleet), metrics.announcements.clone());
    let old_names = metrics.old.clone();
    let drained = Shutdown::default();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let reports = reports.run(wall.unwrap_or_default());
    until(&drained, tasks, "reports", reports);
    until(&drained, tasks, "stats socket", socket.run());
    until(
        &drained,
        tasks,
        "failures",
        follow::failures(Arc::clone(&fleet)),
    );
    let certificates = Certificates::default();
    let tls = Tls::new(Arc::new(certificates.by_host(table.clone())))?;
    let internal_tls = Tls::internal(Arc::new(internal.shown.clone()), &args.tls)?;
    let (services, log) = (Services::default(), Log::default());
    let handler = Arc::new(Handler {
        table,
        certificates: certificates.clone(),
        services: services.clone(),
        fleet: Arc::clone(&fleet),
        reporter,
        cluster_domain: args.cluster_domain.clone(),
        shutdown: tasks.shutdown().clone(),
        head: args.bounds.head,
        log: log.clone(),
    });
    let ports = Ports::open(args, &tls, internal_tls)?;
    let heard = bind(SocketAddr::new(args.bind_ip, args.announcements_port))?;
    let addresses = ports.addresses(heard.local_addr()?)?;
    if args.announcements {
        let served = announcements.clone().serve(heard, drained.clone());
        until(&drained, tasks, "announcements", served);
    }
    let drain = Drain {
        shutdown: tasks.shutdown().clone(),
        quiet: args.drain_quiet,
        limit: args.drain_limit,
    };
    let served = ports
        .all()
        .map(|port| port.serve(Arc::clone(&handler), args.bounds, drain.clone()));
    let over = drained.clone();
    tasks.spawn("ports", async move {
        join_all(served).await;
        over.request();
        Ok::<(), Infallible>(())
    });
    Ok(Activator {
        fleet,
        certificates,
        internal,
        log,
        services,
        announcements,
        old_names,
        addresses,
        drained,
    })
}

/// The ports of requests.
struct Ports {
    external: Port,
    external_tls: Port,
    local: Port,
    local_tls: Port,
    revision: Port,
    h2c: Port,
    revision_tls: Port,
}

// === impl Ports ===

impl Ports {
    fn open(args: &Args, tls: &Tls, internal: Tls) -> anyhow::Result<Self> {
        let door = Door::Ingress;
        let (plain, encrypted) = (Transport::Plain, Transport::Tls);
        let (outside, inside) = (Side::External, Side::Local);
        Ok(Self {
            external: open(args, args.external_http_port, door(outside, plain))?,
            external_tls: open(args, args.external_https_port, door(outside, encrypted))?
                .over(tls.clone()),
            local: open(args, args.local_http_port, door(inside, plain))?,
            local_tls: open(args, args.local_https_port, door(inside, encrypted))?
                .over(tls.clone()),
            revision: open(args, args.revision_http1_port, Door::Revision(plain))?,
            h2c: open(args, args.revision_h2c_port, Door::Revision(plain))?,
            revision_tls: open(args, args.revision_https_port, Door::Revision(encrypted))?
                .over(internal),
        })
    }

    fn addresses(&self, announcements: SocketAddr) -> std::io::Result<Addresses> {
        Ok(Addresses {
            external: self.external.address()?,
            external_tls: self.external_tls.address()?,
            local: self.local.address()?,
            local_tls: self.local_tls.address()?,
            revision: self.revision.address()?,
            revision_tls: self.revision_tls.address()?,
            announcements,
        })
    }

    fn all(self) -> [Port; 7] {
        [
            self.external,
            self.external_tls,
            self.local,
            self.local_tls,
            self.revision,
            self.h2c,
            self.revision_tls,
        ]
    }
}

fn open(args: &Args, port: u16, door: Door) -> anyhow::Result<Port> {
    let address = SocketAddr::new(args.bind_ip, port);
    Port::bind(address, door).with_context(|| format!("can't listen at {address}"))
}

/// A task that runs until the last request is answered.
fn until(
    drained: &Shutdown,
    tasks: &Tasks,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let drained = drained.clone();
    tasks.spawn(name, async move {
        tokio::select! {
            () = task => {}
            () = drained.wait() => {}
        }
        Ok::<(), Infallible>(())
    });
}
