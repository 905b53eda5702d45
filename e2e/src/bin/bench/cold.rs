//! From no pod to the first answer, in turn with plain Deployments on their way from zero to one, so
//! that all meet the same machine. Each start comes at another moment of kubelet's second: one that
//! always follows the end of a pod would measure that moment and nothing else.

mod silence;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use e2e::load::Outcome;
use e2e::namespace::Space;
use e2e::service::{Wanted, host};
use futures::future::{join_all, try_join_all};
use k8s_openapi::api::core::v1::Pod;
use tokio::time::sleep;

use super::plain::{NO_CPU, Plain, Token, outcome};
use super::table::Table;
use silence::Silence;

const ROUNDS: u64 = 20;
/// Rounds of what only has to be seen to work.
const FEW_ROUNDS: u64 = 10;
/// How long the last pods may take to go.
const GONE: Duration = Duration::from_secs(120);
/// What many new objects cost is over by then.
const SETTLED: Duration = Duration::from_secs(10);
/// Services that are called at the same moment.
const CROWD: usize = 20;

/// Two tables: one service after another, and many at once.
pub(crate) async fn measure(space: &Space) -> Result<Vec<Table>> {
    Ok(vec![single(space).await?, crowd(space).await?])
}

async fn single(space: &Space) -> Result<Table> {
    let usual = space
        .deploy(Wanted::answering(space, "hello", "here"))
        .await?;
    let lean = Wanted::answering(space, "lean", "here").without_token();
    let lean = space.deploy(lean).await?;
    let plain = [
        Plain::create(space, "plain", Token::Mounted, NO_CPU).await?,
        Plain::create(space, "plain-lean", Token::None, NO_CPU).await?,
    ];
    let mut took: [Vec<Duration>; 4] = Default::default();
    for round in 0..ROUNDS {
        for (pair, service) in [&usual, &lean].into_iter().enumerate() {
            quiet(space, round).await?;
            took[2 * pair].push(plain[pair].start(space).await?);
            quiet(space, round).await?;
            took[2 * pair + 1].push(start(space, service).await?);
        }
    }
    let [bare, usual_took, bare_lean, lean_took] = took.map(outcome);
    let unannounced = unannounced(space, &usual).await?;
    let mut table = Table::new("cold start, ms", &["median", "p90", "max", "ratio"]);
    row(&mut table, "a Deployment from 0 to 1", &bare, &bare);
    row(&mut table, "a Service from zero", &usual_took, &bare);
    row(
        &mut table,
        "the same, pods don't announce themselves",
        &unannounced,
        &bare,
    );
    row(
        &mut table,
        "a Deployment without a token",
        &bare_lean,
        &bare_lean,
    );
    row(
        &mut table,
        "a Service without a token",
        &lean_took,
        &bare_lean,
    );
    Ok(table)
}

async fn unannounced(space: &Space, service: &Service) -> Result<Outcome> {
    let silence = Silence::begin(&space.cluster).await?;
    let mut took = Vec::new();
    let measured = async {
        for round in 0..FEW_ROUNDS {
            quiet(space, round).await?;
            took.push(start(space, service).await?);
        }
        Ok(())
    };
    let measured: Result<()> = measured.await;
    silence.end().await?;
    measured?;
    Ok(outcome(took))
}

/// Waits until no pod is left, and a little longer: the end of one would take the machine from the next
/// start.
async fn quiet(space: &Space, round: u64) -> Result<()> {
    space.gone::<Pod>("", GONE).await?;
    sleep(pause(round)).await;
    Ok(())
}

/// The time of a request that meets no pod.
async fn start(space: &Space, service: &Service) -> Result<Duration> {
    let name = service.metadata.name.as_deref().context("no name")?;
    space.at_zero(name).await?;
    let answer = space.ask(service, "/").await?;
    ensure!(
        answer.status == 200,
        "cold start: {}: {}",
        answer.status,
        answer.body
    );
    Ok(answer.took)
}

/// Another moment of kubelet's second in each round; 370 and 1,000 share no part of their cycle but ten.
fn pause(round: u64) -> Duration {
    Duration::from_millis(round * 370 % 1000)
}

async fn crowd(space: &Space) -> Result<Table> {
    let services = (0..CROWD).map(|number| {
        let name = format!("crowd-{number:02}");
        let wanted = Wanted::answering(space, &name, "here")
            .annotation("autoscaling.knative.dev/initial-scale", "0");
        space.deploy(wanted)
    });
    let services = try_join_all(services).await?;
    sleep(SETTLED).await;
    let hosts: Vec<_> = services.iter().map(host).collect::<Result<_>>()?;
    let gateway = space.cluster.gateway;
    let answers = hosts.iter().map(|host| gateway.get(host, "/"));
    let mut took = Vec::new();
    for answer in join_all(answers).await {
        let answer = answer?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        took.push(answer.took);
    }
    let plain = (0..CROWD).map(|number| {
        let name = format!("plain-{number:02}");
        async move { Plain::create(space, &name, Token::Mounted, NO_CPU).await }
    });
    let plain = try_join_all(plain).await?;
    space.gone::<Pod>("", GONE).await?;
    sleep(SETTLED).await;
    let bare = plain.iter().map(|plain| plain.start(space));
    let bare = outcome(try_join_all(bare).await?);
    let mut table = Table::new(format!("{CROWD} at once, ms"), &["median", "p95", "max"]);
    for (name, outcome) in [
        ("Deployments from 0 to 1", bare),
        ("Services from zero", outcome(took)),
    ] {
        let cells = [50, 95, 100].map(|percent| millis(outcome.percentile(percent)));
        table.row(name, cells.to_vec());
    }
    Ok(table)
}

fn row(table: &mut Table, name: &str, outcome: &Outcome, base: &Outcome) {
    let mut cells: Vec<String> = [50, 90, 100]
        .map(|percent| millis(outcome.percentile(percent)))
        .to_vec();
    let ratio = outcome.percentile(50).as_secs_f64() / base.percentile(50).as_secs_f64();
    cells.push(format!("{ratio:.2}"));
    table.row(name, cells);
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}
