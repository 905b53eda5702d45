//! The activator's process.

use std::process::ExitCode;

use activator::args::Args;
use activator::files;
use anyhow::Context;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut args = Args::read();
    runtime::log::init("activator");
    let files = files::as_many_as_possible();
    args.bounds.max_connections = files::connections(files, args.bounds.max_connections);
    let tasks = Tasks::new(Shutdown::on_signals().context("can't listen to signals")?);
    let client = runtime::kube::client()
        .await
        .context("can't make a client of the cluster")?;
    activator::start(&args, client, &tasks)?;
    Ok(tasks.run().await)
}
