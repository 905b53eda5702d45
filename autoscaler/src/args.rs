//! The command line.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{explain, hpa, replay, serve};

/// Name of the process in its logs.
const COMPONENT: &str = "autoscaler";

/// Knative's autoscalers: scale revisions by their load, to zero and back.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scale revisions; what happens without a command.
    Serve(serve::Options),
    /// Have Kubernetes' own autoscaler scale the revisions of the HPA class.
    Hpa(hpa::Options),
    /// Tell why a revision has the number of pods that it has.
    Explain(explain::Options),
    /// Tell what would have happened: a trace of requests, played to the decisions without a cluster.
    Replay(replay::Options),
}

impl Args {
    /// Does what the command line says.
    ///
    /// # Errors
    /// When the process can't start.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command.unwrap_or(Command::Serve(self.serve)) {
            Command::Serve(options) => {
                runtime::log::init(COMPONENT);
                serve::run(options).await.context("can't start")
            }
            Command::Hpa(options) => {
                runtime::log::init(COMPONENT);
                hpa::run(options).await.context("can't start")
            }
            Command::Explain(options) => Ok(print_answer(explain::run(options).await)),
            Command::Replay(options) => Ok(print_answer(replay::run(&options))),
        }
    }
}

/// The answer to a person: no log, no backtrace.
fn print_answer(answer: Result<String, impl Into<anyhow::Error>>) -> ExitCode {
    match answer {
        Ok(text) => {
            // Whoever has read enough may close the pipe.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            // All causes in a line.
            eprintln!("error: {:#}", error.into());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, Command};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let explain = Args::parse_from(["autoscaler", "explain", "ns/hello"]);
        assert!(matches!(explain.command, Some(Command::Explain(_))));
        assert!(Args::parse_from(["autoscaler"]).command.is_none());
        assert!(Args::try_parse_from(["autoscaler", "explain", "hello"]).is_err());
    }
}
