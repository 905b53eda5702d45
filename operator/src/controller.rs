//! The process `controller`: watches, reconcilers, admin server.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use net::contract::port;
use runtime::admin::{self, Admin};
use runtime::kube::event::Recorder;
use runtime::kube::settings;
use runtime::metrics::Rendered;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;

use crate::announcement::{self, Herald};
use crate::args::ControllerArguments;
use crate::certificate::cert_manager::installation::Installation;
use crate::context::Context;
use crate::controllers::loops::Loops;
use crate::controllers::{self, Wakers};
use crate::report::Reports;
use crate::revision::digests::Resolver;
use crate::stores::Watches;

/// Our name in logs and in old names of metrics.
const COMPONENT: &str = "controller";

/// Runs until shutdown.
pub(crate) async fn run(arguments: ControllerArguments) -> anyhow::Result<ExitCode> {
    runtime::log::init(COMPONENT);
    let tasks = Tasks::new(Shutdown::on_signals()?);
    let admin = Admin::default();
    let registry = admin.registry.clone();
    let synced = admin.ready.gate("watches");
    for port in [port::ADMIN, port::METRICS] {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let served = admin::serve(address, admin.clone(), tasks.shutdown().clone());
        tasks.spawn("admin", served);
    }
    let client = runtime::kube::client().await?;
    let watches = Watches::start(&tasks, &client, &arguments.system_namespace);
    let settings = settings::watch_and_tell(&tasks, &client, &arguments.system_namespace).await;
    let (resolver, digests) = Resolver::start(&tasks, client.clone(), settings.clone());
    let (cert_manager, orders) = Installation::start(&tasks, client.clone());
    let master = announcement::master_key(client.clone(), &arguments.system_namespace).await;
    let (loops, election) = Loops::enter(arguments.pod_name.as_deref());
    Rendered::register(&registry, "fermata_workqueues", loops.queues())?;
    settings::follow_old_names(&tasks, settings.clone(), COMPONENT, loops.old_names.clone());
    let context = Arc::new(Context {
        loops,
        herald: Herald::new(
            master,
            &arguments.system_namespace,
            &arguments.cluster_domain,
        ),
        cert_manager,
        settings,
        digests: resolver,
        reports: Reports::default(),
        stores: watches.stores(),
        events: Recorder::start(
            &tasks,
            client.clone(),
            "fermata-controller",
            arguments.pod_name,
        ),
        client,
        system_namespace: arguments.system_namespace,
        cluster_domain: arguments.cluster_domain,
    });
    let starting = tasks.clone();
    tasks.spawn("controllers", async move {
        tokio::select! {
            () = watches.wait_until_synced() => {
                synced.open();
                controllers::start(&starting, &watches, &context, Wakers { digests, orders });
                // After they listen; and only who can work competes for work.
                let settings = context.settings.clone();
                election.start(&starting, &context.client, &context.system_namespace, settings);
                starting.shutdown().wait().await;
            }
            () = starting.shutdown().wait() => {}
        }
        Ok::<(), std::convert::Infallible>(())
    });
    Ok(tasks.run().await)
}
