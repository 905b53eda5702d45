//! The command line.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use net::contract::{name, port};

use crate::explain::explain;
use crate::id::RevisionId;
use crate::{hpa, serve};

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
    Explain {
        /// NAMESPACE/REVISION.
        revision: RevisionId,
        /// Where the autoscaler answers, HOST:PORT.
        #[arg(long, default_value_t = default_address())]
        address: String,
    },
}

impl Args {
    /// Does what the command line says.
    ///
    /// # Errors
    /// When the process can't start, or there is no explanation.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(Command::Explain { revision, address }) => {
                print!("{}", explain(&address, revision).await?);
                Ok(ExitCode::SUCCESS)
            }
            Some(Command::Hpa(options)) => hpa::run(options).await.context("can't start"),
            Some(Command::Serve(options)) => serve::run(options).await.context("can't start"),
            None => serve::run(self.serve).await.context("can't start"),
        }
    }
}

/// The autoscaler as a pod of the cluster finds it.
fn default_address() -> String {
    format!(
        "{}.{}:{}",
        name::AUTOSCALER_SERVICE,
        name::SYSTEM_NAMESPACE,
        port::ADMIN
    )
}

#[cfg(test)]
mod tests {
    use super::{Args, Command};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let explain = Args::parse_from(["autoscaler", "explain", "ns/hello"]);
        assert!(matches!(
            explain.command,
            Some(Command::Explain { address, .. }) if address == "autoscaler.knative-serving:8090"
        ));
        assert!(Args::parse_from(["autoscaler"]).command.is_none());
        assert!(Args::try_parse_from(["autoscaler", "explain", "hello"]).is_err());
    }
}
