//! The sidecar of every pod: hard limit, readiness, drain, request log, statistics. Links no
//! Kubernetes code: it asks nobody for anything.

use std::process::ExitCode;

use queue_proxy::{args::Args, process};

/// The exit code for a wrong environment (EX_USAGE).
const USAGE: u8 = 64;

/// One thread: a request costs 30 µs of it, and a second one would cost every idle pod memory.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    runtime::log::init("queueproxy");
    let args = match Args::read(|name| std::env::var(name).ok()) {
        Ok(args) => args,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(USAGE);
        }
    };
    process::run(args).await.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}
