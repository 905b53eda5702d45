//! More requests than may wait: 20,000 with bodies of 64 KiB for a revision whose only pod takes one
//! at a time. How many are held, how soon the others are refused, what it costs, and whether another
//! revision notices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::client::Gateway;
use e2e::load::{Load, Outcome};
use e2e::metrics::Metrics;
use e2e::namespace::Space;
use e2e::service::{READY, Wanted, host};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::table::Table;

const REQUESTS: usize = 20_000;
/// Connections of ours at the same time: a process of this machine may have 20,000 files.
const AT_ONCE: usize = 15_000;
const BODY: usize = 64 * 1024;
/// Who has no answer after this time is held.
const HELD: Duration = Duration::from_secs(20);
const OTHERS: usize = 4000;
const MEBIBYTE: f64 = 1_048_576.0;
static SENT: [u8; BODY] = [b'x'; BODY];

/// What became of the requests.
#[derive(Default)]
struct Crowd {
    held: usize,
    failed: usize,
    answers: BTreeMap<String, usize>,
    refused: Outcome,
}

/// A revision that takes one request at a time, and another one beside it.
pub(crate) async fn measure(space: &Space) -> Result<Vec<Table>> {
    let mut service = Wanted::answering(space, "crowd", "here")
        .annotation("autoscaling.knative.dev/max-scale", "1")
        .build();
    service.spec.template.spec.container_concurrency = Some(1);
    space.apply(&service).await?;
    let crowd = space.ready("crowd", READY).await?;
    let other = Wanted::answering(space, "other", "here")
        .annotation("autoscaling.knative.dev/min-scale", "1");
    let other = space.deploy(other).await?;
    let (crowd, other) = (host(&crowd)?.to_owned(), host(&other)?.to_owned());
    let gateway = space.cluster.gateway;
    let before = p99(gateway, &other).await?;
    let memory = resident(space).await?;
    let flood = tokio::spawn(flood(gateway, crowd));
    let during = p99(gateway, &other).await?;
    let mut crowd = flood.await?;
    crowd.refused.latencies.sort_unstable();
    let later = resident(space).await?;

    let title = format!("{REQUESTS} requests with 64 KiB for a revision that is full");
    let mut became = Table::new(title, &["requests"]);
    became.row("held", vec![crowd.held.to_string()]);
    for (answer, count) in &crowd.answers {
        became.row(answer, vec![count.to_string()]);
    }
    became.row("failed", vec![crowd.failed.to_string()]);
    let mut cost = Table::new("what it costs", &["before", "meanwhile"]);
    for percent in [50, 99] {
        let took = crowd.refused.percentile(percent).as_secs_f64() * 1000.0;
        let cells = vec![String::new(), format!("{took:.1}")];
        cost.row(format!("refused after, p{percent}, ms"), cells);
    }
    let pair = |before: f64, during: f64| vec![format!("{before:.1}"), format!("{during:.1}")];
    cost.row("activator, most MiB", pair(memory, later));
    cost.row("another revision, p99, ms", pair(before, during));
    Ok(vec![became, cost])
}

/// Milliseconds.
async fn p99(gateway: Gateway, host: &str) -> Result<f64> {
    let outcome = Load::new(host, OTHERS, 4).run(gateway).await;
    outcome.all_good()?;
    Ok(outcome.percentile(99).as_secs_f64() * 1000.0)
}

async fn resident(space: &Space) -> Result<f64> {
    let metrics = Metrics::of(&space.cluster, "activator").await?;
    Ok(metrics.max("fermata_process_resident_memory_peak_bytes") / MEBIBYTE)
}

async fn flood(gateway: Gateway, host: String) -> Crowd {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let head =
        format!("POST /?sleep=2000 HTTP/1.1\r\nhost: {host}\r\ncontent-length: {BODY}\r\n\r\n");
    let head: Arc<str> = head.into();
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let (places, head) = (Arc::clone(&places), Arc::clone(&head));
        requests.spawn(async move {
            let _place = places.acquire().await;
            let start = Instant::now();
            let answer = timeout(HELD, ask(gateway, &head)).await;
            (start.elapsed(), answer)
        });
    }
    let mut crowd = Crowd::default();
    while let Some(request) = requests.join_next().await {
        match request {
            Ok((_, Err(_))) => crowd.held += 1,
            Ok((took, Ok(Ok(answer)))) => {
                if answer.contains(" 503 ") {
                    crowd.refused.latencies.push(took);
                }
                *crowd.answers.entry(answer).or_default() += 1;
            }
            Ok((_, Ok(Err(_)))) | Err(_) => crowd.failed += 1,
        }
    }
    crowd
}

/// The status line of the answer, and whether it says when to come again.
async fn ask(gateway: Gateway, head: &str) -> Result<String> {
    let mut stream = TcpStream::connect(gateway.address()).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&SENT).await?;
    let mut heard = vec![0; 4096];
    let read = stream.read(&mut heard).await?;
    ensure!(read > 0, "no answer");
    let heard = String::from_utf8_lossy(&heard[..read]).into_owned();
    let status = heard.lines().next().context("no status")?;
    let again = heard.to_ascii_lowercase().contains("\r\nretry-after:");
    Ok(format!(
        "{status}{}",
        if again { ", Retry-After" } else { "" }
    ))
}
