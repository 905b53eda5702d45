//! More requests than may wait: 20,000 with bodies of 64 KiB for a revision whose only pod takes one
//! at a time. How many are held, how soon the others are refused, what it costs, and whether another
//! revision notices.
//!
//! Client and server share this machine, and a crowd of so many connections takes all of it while it
//! comes. So the refusals of the crowd are timed by the activator's clock, from the head of the request
//! to the answer; and when the crowd is there, a client with nothing else to do asks for more, and for the
//! other revision.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::client::Gateway;
use e2e::load::{Load, Outcome};
use e2e::metrics::Metrics;
use e2e::namespace::Space;
use e2e::service::{READY, Wanted, host};
use e2e::wait::{Seen, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::table::Table;

const REQUESTS: usize = 20_000;
/// Connections of ours at the same time: a process of this machine may have 20,000 files.
const AT_ONCE: usize = 15_000;
const BODY: usize = 64 * 1024;
/// By then the whole crowd is there, and those who may not wait are refused.
const ALL_THERE: Duration = Duration::from_secs(120);
/// Who comes later and has no answer by then is held, too.
const ANSWERED: Duration = Duration::from_secs(10);
/// Requests to the other revision for a measure, one after the other, and measures: of them the one in
/// the middle counts.
const OTHERS: usize = 2000;
const MEASURES: usize = 5;
/// Requests beyond the crowd, and the time between two.
const MORE: usize = 200;
const BETWEEN: Duration = Duration::from_millis(20);
/// The activator's histogram of answers, and its bucket that ends where a refusal must have come.
const ANSWERS: &str = "http_server_request_duration_seconds";
const SOON: &str = "le=\"0.05\"";
const MEBIBYTE: f64 = 1_048_576.0;
static SENT: [u8; BODY] = [b'x'; BODY];

/// What became of the requests.
#[derive(Default)]
struct Crowd {
    held: usize,
    failed: usize,
    answers: BTreeMap<String, usize>,
    /// Refusals of those who came when the crowd was there.
    more: Outcome,
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
    let sent = Arc::new(AtomicUsize::new(0));
    let (leave, left) = watch::channel(());
    let flood = tokio::spawn(flood(gateway, crowd.clone(), Arc::clone(&sent), left));
    until("all is sent", ALL_THERE, async || {
        match sent.load(Ordering::Relaxed) {
            REQUESTS => Ok(Seen::Done(())),
            some => Ok(Seen::NotYet(format!("{some} requests"))),
        }
    })
    .await?;
    let during = p99(gateway, &other).await?;
    let more = more(gateway, &crowd).await?;
    drop(leave);
    let mut crowd = flood.await?;
    ensure!(crowd.held > 0, "the crowd had left before all was measured");
    ensure!(more.latencies.len() > MORE / 2, "too few more were refused");
    crowd.more = more;
    let later = resident(space).await?;
    let soon = refused_soon(space).await?;

    let title = format!("{REQUESTS} requests with 64 KiB for a revision that is full");
    let mut became = Table::new(title, &["requests"]);
    became.row("held", vec![crowd.held.to_string()]);
    for (answer, count) in &crowd.answers {
        became.row(answer, vec![count.to_string()]);
    }
    became.row("failed", vec![crowd.failed.to_string()]);
    let mut cost = Table::new("what it costs", &["before", "meanwhile"]);
    for percent in [50, 99] {
        let took = crowd.more.percentile(percent).as_secs_f64() * 1000.0;
        let cells = vec![String::new(), format!("{took:.1}")];
        cost.row(format!("one more is refused after, p{percent}, ms"), cells);
    }
    let name = "of the crowd refused within 50 ms of their head, %";
    cost.row(name, vec![String::new(), format!("{soon:.2}")]);
    let pair = |before: f64, during: f64| vec![format!("{before:.1}"), format!("{during:.1}")];
    cost.row("activator, most MiB", pair(memory, later));
    cost.row("another revision, p99, ms", pair(before, during));
    Ok(vec![became, cost])
}

/// Milliseconds.
async fn p99(gateway: Gateway, host: &str) -> Result<f64> {
    let mut measures = Vec::new();
    for _ in 0..MEASURES {
        let outcome = Load::new(host, OTHERS, 1).run(gateway).await;
        outcome.all_good()?;
        measures.push(outcome.percentile(99));
    }
    measures.sort_unstable();
    Ok(measures[MEASURES / 2].as_secs_f64() * 1000.0)
}

/// Requests that come one by one when there is no room for them. One whose place has just become free is
/// held, and is no refusal; it keeps its place while the others come, or each of them would get it.
async fn more(gateway: Gateway, host: &str) -> Result<Outcome> {
    let (head, mut ticks) = (Arc::<str>::from(head(host)), interval(BETWEEN));
    let mut requests = JoinSet::new();
    for _ in 0..MORE {
        ticks.tick().await;
        let head = Arc::clone(&head);
        requests.spawn(async move {
            let start = Instant::now();
            let answer = timeout(ANSWERED, ask(gateway, &head, || ())).await;
            (answer, start.elapsed())
        });
    }
    let mut refused = Outcome::default();
    while let Some(request) = requests.join_next().await {
        let (answer, took) = request?;
        if let Ok(answer) = answer
            && answer?.contains(" 503 ")
        {
            refused.latencies.push(took);
        }
    }
    refused.latencies.sort_unstable();
    Ok(refused)
}

/// Percent of all refusals that came in time, by the activator's clock.
async fn refused_soon(space: &Space) -> Result<f64> {
    let metrics = Metrics::of(&space.cluster, "activator").await?;
    let refusals = |name: &str, part: &str| {
        let all = [part, "http_response_status_code=\"503\"", "bench-overload"];
        metrics.sum_of(&format!("{ANSWERS}_{name}"), &all)
    };
    let all = refusals("count", "");
    ensure!(all > 0.0, "nobody was refused");
    Ok(refusals("bucket", SOON) * 100.0 / all)
}

async fn resident(space: &Space) -> Result<f64> {
    let metrics = Metrics::of(&space.cluster, "activator").await?;
    Ok(metrics.max("fermata_process_resident_memory_peak_bytes") / MEBIBYTE)
}

fn head(host: &str) -> String {
    format!("POST /?sleep=2000 HTTP/1.1\r\nhost: {host}\r\ncontent-length: {BODY}\r\n\r\n")
}

/// Counts in `sent` those that are at the server as a whole, or have failed. Who has no answer when the
/// sender of `left` is dropped was held.
async fn flood(
    gateway: Gateway,
    host: String,
    sent: Arc<AtomicUsize>,
    left: watch::Receiver<()>,
) -> Crowd {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let head: Arc<str> = head(&host).into();
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let (places, head) = (Arc::clone(&places), Arc::clone(&head));
        let (sent, mut left) = (Arc::clone(&sent), left.clone());
        requests.spawn(async move {
            let _place = places.acquire().await;
            let count = || {
                sent.fetch_add(1, Ordering::Relaxed);
            };
            tokio::select! {
                answer = ask(gateway, &head, count) => Some(answer),
                _ = left.changed() => None,
            }
        });
    }
    let mut crowd = Crowd::default();
    while let Some(request) = requests.join_next().await {
        match request {
            Ok(None) => crowd.held += 1,
            Ok(Some(Ok(answer))) => *crowd.answers.entry(answer).or_default() += 1,
            Ok(Some(Err(_))) | Err(_) => crowd.failed += 1,
        }
    }
    crowd
}

/// The status line of the answer, and whether it says when to come again. Says when all is sent.
async fn ask(gateway: Gateway, head: &str, sent: impl FnOnce()) -> Result<String> {
    let written = async {
        let mut stream = TcpStream::connect(gateway.address()).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&SENT).await?;
        anyhow::Ok(stream)
    };
    let written = written.await;
    sent();
    let mut stream = written?;
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
