//! "What would have happened?": a trace of requests, played to the real windows, decisions and gate
//! against a model of everything else (docs/replay.md says which one).
//!
//! ```text
//! trace ─► requests ─► queue ─► slots of pods ─► waits
//!             │ counted            ▲ start-up
//!             ▼                    │
//!      reports ─► Scaling (ledger, kpa::pass) ─► replicas
//! ```

mod front_door;
mod outcome;
mod plan;
mod plot;
mod pods;
mod scaling;
mod simulation;
mod trace;

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

pub use outcome::{Outcome, Row, Waits};
pub use plan::{Plan, PlanError};
pub use plot::PlotError;
pub use scaling::Scaling;
pub use simulation::simulate;
pub use trace::{Arrivals, Trace, TraceError};

/// A moment or a time of the simulation, in microseconds.
type Micros = u64;

const SECOND: Micros = 1_000_000;

/// What is replayed.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// CSV with the columns second,arrivals,service_ms.
    trace: PathBuf,
    /// A plan, or a Service, as YAML.
    #[arg(long)]
    spec: Option<PathBuf>,
    /// An annotation, NAME=VALUE; `window=10s` is autoscaling.knative.dev/window. May be repeated.
    #[arg(long = "annotation", value_parser = pair)]
    annotations: Vec<(String, String)>,
    /// Requests that one pod gets at once; 0 is no limit.
    #[arg(long)]
    container_concurrency: Option<i64>,
    /// How long pods take to become ready, in milliseconds; of several, pods take one after the other.
    #[arg(long, value_delimiter = ',')]
    start_up: Vec<u64>,
    /// Folder for result.csv and plot.svg; without it the CSV goes to standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file can't be read or written.
    #[error("{}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// No trace.
    #[error("{} is no trace", .0.display())]
    Trace(PathBuf, #[source] TraceError),
    /// No plan.
    #[error("the revision can't be replayed")]
    Plan(#[from] PlanError),
    /// No plot.
    #[error("the plot can't be drawn")]
    Plot(#[from] PlotError),
}

/// Replays a trace. Returns what is to be printed.
///
/// # Errors
/// See [`ReplayError`].
pub fn run(options: &Options) -> Result<String, ReplayError> {
    let text = read(&options.trace)?;
    let trace = text.parse::<Trace>();
    let trace = trace.map_err(|error| ReplayError::Trace(options.trace.clone(), error))?;
    let written = match &options.spec {
        Some(path) => Plan::read(&read(path)?)?,
        None => Plan::default(),
    };
    let outcome = simulate(&trace, amended(written, options))?;
    let Some(folder) = &options.out else {
        return Ok(outcome.csv());
    };
    let failed = |error| ReplayError::File(folder.clone(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    write(&folder.join("result.csv"), &outcome.csv())?;
    write(&folder.join("plot.svg"), &plot::svg(&outcome)?)?;
    Ok(format!("{outcome}\n"))
}

/// The plan with what the command line says on top.
fn amended(mut plan: Plan, options: &Options) -> Plan {
    for (name, value) in &options.annotations {
        plan.annotate(name, value.clone());
    }
    plan.container_concurrency = options.container_concurrency.or(plan.container_concurrency);
    if !options.start_up.is_empty() {
        plan.start_up.clone_from(&options.start_up);
    }
    plan
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is needed")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn read(path: &Path) -> Result<String, ReplayError> {
    std::fs::read_to_string(path).map_err(|error| ReplayError::File(path.to_owned(), error))
}

fn write(path: &Path, text: &str) -> Result<(), ReplayError> {
    std::fs::write(path, text).map_err(|error| ReplayError::File(path.to_owned(), error))
}
