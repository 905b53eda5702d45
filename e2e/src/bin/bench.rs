//! What Fermata costs and what it gives, each number beside what the same machine does without us.
//! The machine that measures is the one that serves: compare rows of one run, not machines.

mod bench {
    pub(crate) mod cold;
    pub(crate) mod document;
    pub(crate) mod envoy;
    pub(crate) mod fleet;
    pub(crate) mod overload;
    pub(crate) mod plain;
    pub(crate) mod scaling;
    pub(crate) mod table;
    pub(crate) mod warm;
    pub(crate) mod webhook;
}

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use bench::table::Table;
use bench::{cold, document, fleet, overload, scaling, warm, webhook};
use clap::{Parser, ValueEnum};
use e2e::namespace::{Space, in_namespace};
use jiff::Timestamp;
use tokio::time::Instant;

/// Measures Fermata on a real cluster.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything when nothing is named.
    sections: Vec<Section>,
    /// A Markdown document that keeps the last numbers of each section.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// From no pod to the first answer, beside a Deployment scaled from 0 to 1.
    Cold,
    /// Warm requests, beside the app alone and one Envoy.
    Warm,
    /// The webhooks at the rate of a busy cluster, and with objects that nobody should send.
    Webhook,
    /// 500 Services at once.
    Fleet,
    /// An autoscaler with 1,000 revisions that are reported each second; needs no cluster.
    Scaling,
    /// More requests than may wait: 20,000 with bodies for a revision that is full.
    Overload,
}

impl Section {
    async fn measure(self) -> Result<Vec<Table>> {
        let name = format!("bench-{}", self.name());
        match self {
            Self::Cold => on_the_cluster(&name, cold::measure).await,
            Self::Warm => on_the_cluster(&name, warm::measure).await,
            Self::Webhook => on_the_cluster(&name, webhook::measure).await,
            Self::Fleet => on_the_cluster(&name, fleet::measure).await,
            Self::Scaling => scaling::measure().await,
            Self::Overload => on_the_cluster(&name, overload::measure).await,
        }
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sections = match arguments.sections.as_slice() {
        [] => Section::value_variants(),
        some => some,
    };
    for section in sections {
        let (name, start) = (section.name(), Instant::now());
        let tables = section.measure().await.with_context(|| name.clone())?;
        println!("  ({name}: {:.0} s)", start.elapsed().as_secs_f64());
        if let Some(path) = &arguments.write {
            document::write(path, &name, &text(&name, &tables))?;
        }
    }
    Ok(())
}

/// Measures in a namespace of its own.
async fn on_the_cluster(
    name: &str,
    measure: impl AsyncFnOnce(&Space) -> Result<Vec<Table>>,
) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    in_namespace(name, async |space| {
        tables = measure(space).await?;
        Ok(())
    })
    .await?;
    Ok(tables)
}

/// A section of the document: its tables, and how and where they were made.
fn text(section: &str, tables: &[Table]) -> String {
    let tables: Vec<String> = tables.iter().map(Table::markdown).collect();
    let day = Timestamp::now().strftime("%Y-%m-%d");
    let machine = machine().unwrap_or_else(|| "a machine that doesn't tell".to_owned());
    format!(
        "{}\n`make bench SECTIONS={section}`, {day}, {machine}",
        tables.join("\n")
    )
}

fn machine() -> Option<String> {
    let cores = std::thread::available_parallelism().ok()?;
    let cpus = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = cpus.lines().find(|line| line.starts_with("model name"))?;
    let (_, model) = model.split_once(':')?;
    Some(format!("{cores} cores of {}", model.trim()))
}
