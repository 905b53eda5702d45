//! The autoscaler's process.

use std::process::ExitCode;

use autoscaler::args::Args;
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    Args::parse().run().await
}
