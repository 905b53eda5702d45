//! Load on one host, and what became of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::client::{Answer, Connection, Gateway, PATIENCE, usable};

/// How many errors an [`Outcome`] keeps word for word.
const ERRORS_KEPT: usize = 5;

/// A number of requests to one host, spread over connections that each carry one at a time.
#[derive(Clone, Debug)]
pub struct Load {
    /// Host that is asked.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// Requests in all.
    pub requests: usize,
    /// Requests at the same time.
    pub connections: usize,
    /// Whether a connection carries one request after another, or only one (as `ab` does).
    pub keep_alive: bool,
}

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers by status.
    pub statuses: BTreeMap<u16, usize>,
    /// Good answers by body.
    pub bodies: BTreeMap<String, usize>,
    /// Requests that got no answer.
    pub failed: usize,
    /// The first errors and bad answers, each once.
    pub errors: Vec<String>,
    /// How long the answers took, ascending.
    pub latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// Load that is being sent.
#[derive(Debug)]
pub struct Running {
    left: Arc<AtomicUsize>,
    task: JoinHandle<Outcome>,
}

/// Asks a host over and over, in the background, until it is stopped.
#[derive(Debug)]
pub struct Prober {
    stop: watch::Sender<bool>,
    task: JoinHandle<Outcome>,
}

// === impl Load ===

impl Load {
    /// `requests` for `/` of `host`, `connections` at a time, kept alive.
    pub fn new(host: &str, requests: usize, connections: usize) -> Self {
        let (host, path) = (host.to_owned(), "/".to_owned());
        Self {
            host,
            path,
            requests,
            connections,
            keep_alive: true,
        }
    }

    /// Sends it. Each request may take [`PATIENCE`]; none is repeated.
    pub async fn run(self, gateway: Gateway) -> Outcome {
        let left = Arc::new(AtomicUsize::new(self.requests));
        self.send(gateway, left).await
    }

    /// Sends it in the background, until it is stopped or all is sent.
    pub fn start(self, gateway: Gateway) -> Running {
        let left = Arc::new(AtomicUsize::new(self.requests));
        let task = tokio::spawn(self.send(gateway, Arc::clone(&left)));
        Running { left, task }
    }

    async fn send(self, gateway: Gateway, left: Arc<AtomicUsize>) -> Outcome {
        let start = Instant::now();
        let load = Arc::new(self);
        let mut workers = JoinSet::new();
        for _ in 0..load.connections {
            workers.spawn(work(load.clone(), gateway, left.clone()));
        }
        let mut outcome = Outcome::default();
        while let Some(part) = workers.join_next().await {
            match part {
                Ok(part) => outcome.merge(part),
                Err(error) => outcome.failure(&format!("a worker ended: {error}")),
            }
        }
        outcome.finish(start.elapsed())
    }
}

async fn work(load: Arc<Load>, gateway: Gateway, left: Arc<AtomicUsize>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut kept: Option<Connection> = None;
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    while take().is_ok() {
        let start = Instant::now();
        let exchange = async {
            let mut connection = match usable(kept.take()).await {
                Some(connection) => connection,
                None => gateway.connect().await?,
            };
            let answer = connection.get(&load.host, &load.path).await?;
            anyhow::Ok((connection, answer))
        };
        match timeout(PATIENCE, exchange)
            .await
            .context("no answer in time")
            .flatten()
        {
            Ok((connection, answer)) => {
                outcome.answer(&Answer {
                    took: start.elapsed(),
                    ..answer
                });
                kept = Some(connection).filter(|_| load.keep_alive);
            }
            Err(error) => outcome.failure(&format!("{error:#}")),
        }
    }
    outcome
}

// === impl Outcome ===

impl Outcome {
    /// Requests sent.
    pub fn requests(&self) -> usize {
        self.failed + self.statuses.values().sum::<usize>()
    }

    /// Answers with status 200.
    pub fn good(&self) -> usize {
        self.statuses.get(&200).copied().unwrap_or(0)
    }

    /// Fails unless every request was answered with 200.
    pub fn all_good(&self) -> Result<()> {
        ensure!(
            self.good() == self.requests(),
            "not every request was answered with 200: {self}"
        );
        Ok(())
    }

    /// How many good answers had `body`, in percent of all requests.
    pub fn share(&self, body: &str) -> f64 {
        let count = self.bodies.get(body).copied().unwrap_or(0);
        100.0 * count as f64 / self.requests().max(1) as f64
    }

    /// The time within which `percent` of the answers came. Zero when none came.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().unwrap_or_default()
    }

    /// Answers in a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn answer(&mut self, answer: &Answer) {
        *self.statuses.entry(answer.status.as_u16()).or_default() += 1;
        self.latencies.push(answer.took);
        let body = answer.body.trim_end();
        if answer.status == StatusCode::OK {
            *self.bodies.entry(body.to_owned()).or_default() += 1;
        } else {
            self.note(format!("{}: {body}", answer.status));
        }
    }

    fn failure(&mut self, error: &str) {
        self.failed += 1;
        self.note(error.to_owned());
    }

    fn note(&mut self, error: String) {
        if self.errors.len() < ERRORS_KEPT && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn merge(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (body, count) in other.bodies {
            *self.bodies.entry(body).or_default() += count;
        }
        self.failed += other.failed;
        self.latencies.extend(other.latencies);
        other.errors.into_iter().for_each(|error| self.note(error));
    }

    fn finish(mut self, took: Duration) -> Self {
        self.latencies.sort_unstable();
        self.took = took;
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests in {} ms",
            self.requests(),
            self.took.as_millis()
        )?;
        for (status, count) in &self.statuses {
            write!(f, ", {count} x {status}")?;
        }
        if self.failed > 0 {
            write!(f, ", {} without an answer", self.failed)?;
        }
        let [p50, p99] = [50, 99].map(|percent| self.percentile(percent).as_millis());
        write!(f, ", p50 {p50} ms, p99 {p99} ms")?;
        self.errors
            .iter()
            .try_for_each(|error| write!(f, "; {error}"))
    }
}

// === impl Running ===

impl Running {
    /// Sends no more, waits for the answers to what was sent, and tells what became of all.
    pub async fn stop(self) -> Result<Outcome> {
        self.left.store(0, Ordering::Relaxed);
        self.task.await.context("the load ended")
    }
}

// === impl Prober ===

impl Prober {
    /// Asks `/` of `host` every `period`, each time on a new connection.
    pub fn start(gateway: Gateway, host: &str, period: Duration) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(probe(gateway, host.to_owned(), period, stopped));
        Self { stop, task }
    }

    /// Stops asking, and tells what became of all requests.
    pub async fn stop(self) -> Result<Outcome> {
        self.stop.send_replace(true);
        self.task.await.context("the prober ended")
    }
}

async fn probe(
    gateway: Gateway,
    host: String,
    period: Duration,
    mut stopped: watch::Receiver<bool>,
) -> Outcome {
    let start = Instant::now();
    let mut outcome = Outcome::default();
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopped.borrow() {
        match gateway.get(&host, "/").await {
            Ok(answer) => outcome.answer(&answer),
            Err(error) => outcome.failure(&format!("{error:#}")),
        }
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => break,
        }
    }
    outcome.finish(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use std::time::Duration;

    fn outcome(millis: impl Iterator<Item = u64>) -> Outcome {
        let latencies = millis.map(Duration::from_millis).collect();
        Outcome {
            latencies,
            ..Outcome::default()
        }
    }

    #[test]
    fn percentiles_are_answers_that_came() {
        let hundred = outcome(1..=100);
        assert_eq!(hundred.percentile(50), Duration::from_millis(50));
        assert_eq!(hundred.percentile(99), Duration::from_millis(99));
        assert_eq!(outcome(7..=7).percentile(99), Duration::from_millis(7));
        assert_eq!(outcome(0..0).percentile(50), Duration::ZERO);
    }

    #[test]
    fn a_missing_answer_is_not_good() {
        let mut outcome = Outcome::default();
        outcome.statuses.insert(200, 9);
        assert!(outcome.all_good().is_ok());
        outcome.failure("connection reset");
        let error = outcome.all_good().unwrap_err().to_string();
        assert!(error.contains("9 x 200, 1 without an answer"), "{error}");
    }
}
