//! The activator's process.

use std::process::ExitCode;

use activator::args::Args;
use anyhow::Context;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::read();
    runtime::log::init("activator");
    let tasks = Tasks::new(Shutdown::on_signals().context("can't listen to signals")?);
    let client = runtime::kube::client()
        .await
        .context("can't make a client of the cluster")?;
    activator::start(&args, client, &tasks)?;
    Ok(tasks.run().await)
}
