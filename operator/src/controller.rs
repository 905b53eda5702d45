//! The process `controller`: watches, reconcilers, admin server.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use net::contract::port;
use runtime::admin::{self, Admin};
use runtime::kube::event::Recorder;
use runtime::kube::settings;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;

use crate::args::ControllerArguments;
use crate::context::Context;
use crate::controllers;
use crate::revision::digests::Resolver;
use crate::stores::Watches;

/// Runs until shutdown.
pub(crate) async fn run(arguments: ControllerArguments) -> anyhow::Result<ExitCode> {
    runtime::log::init("controller");
    let tasks = Tasks::new(Shutdown::on_signals()?);
    let admin = Admin::default();
    let synced = admin.ready.gate("watches");
    for port in [port::ADMIN, port::METRICS] {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let served = admin::serve(address, admin.clone(), tasks.shutdown().clone());
        tasks.spawn("admin", served);
    }
    let client = runtime::kube::client().await?;
    let watches = Watches::start(&tasks, &client);
    let settings = settings::watch(&tasks, &client, &arguments.system_namespace).await;
    let (digests, answers) = Resolver::start(&tasks, client.clone(), settings.clone());
    let context = Arc::new(Context {
        settings,
        digests,
        stores: watches.stores(),
        events: Recorder::new(client.clone(), "fermata-controller", arguments.pod_name),
        client,
        system_namespace: arguments.system_namespace,
        cluster_domain: arguments.cluster_domain,
    });
    let starting = tasks.clone();
    tasks.spawn("controllers", async move {
        tokio::select! {
            () = watches.wait_until_synced() => {
                synced.open();
                controllers::start(&starting, &watches, &context, answers);
                starting.shutdown().wait().await;
            }
            () = starting.shutdown().wait() => {}
        }
        Ok::<(), std::convert::Infallible>(())
    });
    Ok(tasks.run().await)
}
