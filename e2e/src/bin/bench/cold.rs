//! From no pod to the first answer, in turn with a plain Deployment on its way from zero to one, so
//! that both meet the same machine.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::load::Outcome;
use e2e::namespace::Space;
use e2e::service::{Wanted, host};
use tokio::time::sleep;

use super::plain::{Plain, outcome};
use super::table::Table;

const ROUNDS: u64 = 20;
/// Services that are called at the same moment.
const CROWD: usize = 20;

/// Two tables: one service after another, and many at once.
pub(crate) async fn measure(space: &Space) -> Result<Vec<Table>> {
    let columns = ["median", "p90", "max", "ratio"];
    let mut table = Table::new("cold start, ms", &columns);
    let plain = Plain::create(space).await?;
    let service = Wanted::answering(space, "hello", "here");
    let lean = Wanted::answering(space, "lean", "here").without_token();
    let (service, lean) = (space.deploy(service).await?, space.deploy(lean).await?);
    let mut took = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        took[0].push(plain.start(space).await?);
        for (service, took) in [&service, &lean].into_iter().zip(&mut took[1..]) {
            took.push(start(space, host(service)?, round).await?);
        }
    }
    let [bare, usual, lean] = took.map(outcome);
    let base = bare.percentile(50);
    row(&mut table, "a Deployment from 0 to 1", &bare, base);
    row(&mut table, "a Service from zero", &usual, base);
    row(&mut table, "the same without a token", &lean, base);
    Ok(vec![table, crowd(space).await?])
}

/// The time of a request that meets no pod, at another moment of kubelet's second each round.
async fn start(space: &Space, host: &str, round: u64) -> Result<Duration> {
    let name = host.split('.').next().unwrap_or_default();
    space.at_zero(name).await?;
    sleep(Duration::from_millis(round * 370 % 1000)).await;
    let answer = space.cluster.gateway.get(host, "/").await?;
    ensure!(
        answer.status == 200,
        "cold start: {}: {}",
        answer.status,
        answer.body
    );
    Ok(answer.took)
}

async fn crowd(space: &Space) -> Result<Table> {
    let mut hosts = Vec::new();
    for number in 0..CROWD {
        let name = format!("crowd-{number:02}");
        let wanted = Wanted::answering(space, &name, "here")
            .annotation("autoscaling.knative.dev/initial-scale", "0");
        hosts.push(host(&space.deploy(wanted).await?)?.to_owned());
    }
    let gateway = space.cluster.gateway;
    let answers = hosts.iter().map(|host| gateway.get(host, "/"));
    let mut took = Vec::new();
    for answer in futures::future::join_all(answers).await {
        let answer = answer?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        took.push(answer.took);
    }
    let mut table = Table::new(format!("{CROWD} at once, ms"), &["median", "p95", "max"]);
    let outcome = outcome(took);
    let cells = [50, 95, 100].map(|percent| millis(outcome.percentile(percent)));
    table.row("Services from zero", cells.to_vec());
    Ok(table)
}

fn row(table: &mut Table, name: &str, outcome: &Outcome, base: Duration) {
    let mut cells: Vec<String> = [50, 90, 100]
        .map(|percent| millis(outcome.percentile(percent)))
        .to_vec();
    let ratio = outcome.percentile(50).as_secs_f64() / base.as_secs_f64();
    cells.push(format!("{ratio:.2}"));
    table.row(name, cells);
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}
