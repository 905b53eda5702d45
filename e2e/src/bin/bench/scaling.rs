//! A real autoscaler process with a thousand revisions, each reported each second over a real
//! WebSocket: what it costs. The API server is one in memory, so no cluster is needed.

mod api;
mod revision;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use e2e::client::Gateway;
use e2e::cluster::binary;
use e2e::metrics::Metrics;
use e2e::wait::{Seen, until};
use futures::{SinkExt, StreamExt};
use net::contract::{env, port};
use net::stat::WireStatMessages;
use prost::Message as _;
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use self::api::Api;
use super::table::Table;

const REVISIONS: usize = 1000;
/// How long the process may take to see all revisions.
const READY: Duration = Duration::from_secs(60);
/// Until everything that a start brings is written.
const SETTLED: Duration = Duration::from_secs(20);
const MEASURED: Duration = Duration::from_secs(30);
const MEBIBYTE: f64 = 1_048_576.0;
/// What we must reach.
const MOST_CPU: f64 = 25.0;
const MOST_MEMORY: f64 = 60.0;

/// What it costs; fails above the budget.
pub(crate) async fn measure() -> Result<Vec<Table>> {
    let api = Api::start(revision::objects(REVISIONS)).await?;
    let config = tempfile(&api)?;
    let mut autoscaler = start(&config)?;
    let verdict = tokio::select! {
        verdict = watch(&api) => verdict,
        ended = autoscaler.wait() => Err(anyhow!("the autoscaler ended: {}", ended?)),
    };
    autoscaler.kill().await?;
    std::fs::remove_file(&config)?;
    verdict
}

/// A kubeconfig for the API server in memory.
fn tempfile(api: &Api) -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("bench-{}.kubeconfig", std::process::id()));
    std::fs::write(&path, api.kubeconfig()).context("no kubeconfig")?;
    Ok(path)
}

/// The autoscaler that is in the image, on its own ports.
fn start(config: &PathBuf) -> Result<Child> {
    let binary = binary("autoscaler")?;
    Command::new(&binary)
        .arg("serve")
        .env("KUBECONFIG", config)
        .env(env::POD_NAME, "autoscaler-5c-bench")
        .env(env::POD_IP, "127.0.0.1")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} can't be started", binary.display()))
}

async fn watch(api: &Api) -> Result<Vec<Table>> {
    let admin = Gateway::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port::ADMIN)));
    until("the autoscaler is ready", READY, async || {
        let answer = admin.get("autoscaler", "/readyz").await?;
        match answer.status.as_u16() {
            200 => Ok(Seen::Done(())),
            _ => Ok(Seen::NotYet(answer.body)),
        }
    })
    .await?;
    let feeding = tokio::spawn(feed());
    let verdict = tokio::select! {
        verdict = look(api, admin) => verdict,
        ended = feeding => Err(anyhow!("the stream of reports ended: {:?}", ended?)),
    };
    verdict.context("the autoscaler with a thousand revisions")
}

async fn look(api: &Api, admin: Gateway) -> Result<Vec<Table>> {
    sleep(SETTLED).await;
    let before = metrics(admin).await?;
    let (writes, start) = (api.writes(), Instant::now());
    sleep(MEASURED).await;
    let after = metrics(admin).await?;
    let seconds = |all: &Metrics| all.sum("process_cpu_seconds_total");
    let cpu = (seconds(&after) - seconds(&before)) / start.elapsed().as_secs_f64() * 100.0;
    let peak = after.max("fermata_process_resident_memory_peak_bytes") / MEBIBYTE;
    let title = format!("autoscaler, {REVISIONS} revisions, each reported each second");
    let mut table = Table::new(title, &["measured", "at most"]);
    let mut row = |name: &str, value: f64, most: Option<f64>| {
        let most = most.map_or(String::new(), |most| format!("{most:.0}"));
        table.row(name, vec![format!("{value:.1}"), most]);
    };
    row("CPU, percent of a core", cpu, Some(MOST_CPU));
    row("memory at its peak, MiB", peak, Some(MOST_MEMORY));
    row("writes in 30 s", (api.writes() - writes) as f64, None);
    let seen = after.count("kn_revision_concurrency_stable");
    ensure!(seen == REVISIONS, "only {seen} revisions are scaled");
    ensure!(cpu <= MOST_CPU && peak <= MOST_MEMORY, "above the budget");
    Ok(vec![table])
}

async fn metrics(admin: Gateway) -> Result<Metrics> {
    let answer = admin.get("autoscaler", "/metrics").await?;
    ensure!(answer.status == 200, "no metrics: {}", answer.status);
    Ok(Metrics::read(&answer.body))
}

/// Reports as an activator with requests for every revision.
async fn feed() -> Result<()> {
    let url = format!("ws://127.0.0.1:{}", port::STATS);
    let (mut stream, _) = connect_async(url).await.context("no stream")?;
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            read = stream.next() => {
                read.context("closed by the autoscaler")??;
            }
            _ = seconds.tick() => {
                let messages = (0..REVISIONS).map(revision::report).collect();
                let frame = WireStatMessages { messages }.encode_to_vec();
                stream.send(Message::Binary(frame.into())).await?;
            }
        }
    }
}
