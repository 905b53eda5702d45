//! Half an hour of a busy cluster: load that comes and goes, a new version every minute, and a pod that
//! dies every half minute. No request may be lost but those that a dying pod had.
//!
//! - *waves*: from zero to twenty pods and back, whose app takes two requests at a time;
//! - *steady*: a few requests all the time, and a new revision each minute; what begins after the
//!   Service is Ready with it must be answered by it.

mod soak {
    pub(crate) mod clients;
    pub(crate) mod deaths;
    pub(crate) mod fate;
    pub(crate) mod ledger;
    pub(crate) mod pods;
    pub(crate) mod rollouts;
    pub(crate) mod wave;
}

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{READY, Wanted, host};
use soak::clients::{self, Aim};
use soak::fate::Subject;
use soak::ledger::{Ledger, Verdict};
use soak::{deaths, pods, rollouts, wave};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

const LINE: Duration = Duration::from_secs(10);
/// Clients of *steady*, each with one request after another.
const STEADY_CLIENTS: usize = 6;
const WAVES_PATH: &str = "/?sleep=250";
const STEADY_PATH: &str = "/?sleep=100";

/// Keeps Fermata busy, and tells which requests were lost.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=120))]
    minutes: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let minutes = Duration::from_mins(Arguments::parse().minutes);
    match in_namespace("soak", async |space| soak(space, minutes).await).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe soak failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(space: &Space, time: Duration) -> Result<()> {
    let (waves, steady) = services(space).await?;
    let start = Instant::now();
    let (end, ledger) = (start + time, Arc::new(Ledger::default()));
    let mut clients = JoinSet::new();
    for number in 0..wave::MOST {
        let aim = Aim::new(space, &waves, Subject::Waves, WAVES_PATH)?;
        let active = move |since| number < wave::clients(since);
        clients.spawn(clients::ask_until(end, start, aim, active, ledger.clone()));
    }
    for _ in 0..STEADY_CLIENTS {
        let aim = Aim::new(space, &steady, Subject::Steady, STEADY_PATH)?;
        clients.spawn(clients::ask_until(
            end,
            start,
            aim,
            |_| true,
            ledger.clone(),
        ));
    }
    tokio::select! {
        () = pods::watch(space, start, &ledger) => {}
        failed = rollouts::each_minute(space, &ledger) => failed?,
        () = deaths::each_half_minute(space, &ledger) => {}
        () = tell(start, &ledger) => {}
        () = sleep_until(end) => {}
    }
    while let Some(ended) = clients.join_next().await {
        ended.context("a client ended")?;
    }
    let verdict = ledger.verdict(wave::cycles(time));
    println!("\n{verdict}");
    judge(&verdict)
}

async fn services(space: &Space) -> Result<(Service, Service)> {
    let mut waves = Wanted::answering(space, Subject::Waves.name(), "waves")
        .annotation("autoscaling.knative.dev/max-scale", &wave::PODS.to_string())
        .without_token()
        .build();
    waves.spec.template.spec.container_concurrency = Some(Subject::Waves.at_once());
    space.apply(&waves).await?;
    space.apply(&rollouts::version(space, 1)).await?;
    let waves = space.ready(Subject::Waves.name(), READY).await?;
    let steady = space.ready(Subject::Steady.name(), READY).await?;
    Ok((waves, steady))
}

/// A line each ten seconds.
async fn tell(start: Instant, ledger: &Ledger) {
    let mut lines = interval(LINE);
    lines.set_missed_tick_behavior(MissedTickBehavior::Skip);
    lines.tick().await;
    loop {
        lines.tick().await;
        println!(
            "{:6.0} s  {}",
            start.elapsed().as_secs_f64(),
            ledger.line(LINE)
        );
    }
}

fn judge(verdict: &Verdict) -> Result<()> {
    ensure!(
        verdict.lost.is_empty(),
        "{} requests were lost",
        verdict.lost.len()
    );
    ensure!(
        verdict.trouble.is_empty(),
        "the load was not what it should be: {}",
        verdict.trouble.join("; ")
    );
    Ok(())
}

impl Aim {
    fn new(space: &Space, service: &Service, subject: Subject, path: &'static str) -> Result<Self> {
        Ok(Self {
            gateway: space.cluster.gateway,
            host: host(service)?.to_owned(),
            path,
            subject,
        })
    }
}
