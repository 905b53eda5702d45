//! Asking the queue-proxies of a revision for its load, where requests reach pods without passing an
//! activator (contract/data-plane 1.11). A sample of the pods stands for all of them.
//!
//! What came through an activator is not counted again: queue-proxies tell it apart.
//!
//! Deliberately absent: the detour through the revision's Service where a mesh lets nobody ask a pod.

use std::net::SocketAddr;
use std::time::Duration;

use crds::networking::SksMode;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use hyper::StatusCode;
use jiff::Timestamp;
use net::stat::Stat;
use prost::Message;
use rand::seq::SliceRandom;

use crate::ask::{AskError, ask};
use crate::clock::elapsed;
use crate::collect::sample;
use crate::ledger::Sample;

/// Time between two rounds.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// Longest wait for a pod.
const PATIENCE: Duration = Duration::from_secs(3);
const PATH: &str = "/metrics";
const ACCEPT: [(&str, &str); 1] = [("accept", "application/protobuf")];
/// Sample for a population without end: 95 % confidence, a margin of a quarter.
const LARGEST_SAMPLE: f64 = 1.96 * 1.96 * 100.0 / 25.0;
/// Populations that are asked one and all.
const SMALL: usize = 3;
/// Activators that have been silent for so long have nothing to tell: they do so every second.
const SILENT: Duration = Duration::from_secs(5);

/// A pod that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where its queue-proxy tells its load.
    pub address: SocketAddr,
    /// When the pod was started.
    pub started: Option<Timestamp>,
}

/// Why a round has no result.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// Too few answers for a sample.
    #[error("{answers} of {needed} pods told their load")]
    TooFew {
        /// Pods that answered.
        answers: usize,
        /// Pods that make a sample.
        needed: usize,
        /// Why the last one did not.
        #[source]
        last: Option<PodError>,
    },
}

/// Why a pod did not tell its load.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// No answer.
    #[error("no answer")]
    Silent(#[from] AskError),
    /// Not an answer of a queue-proxy.
    #[error("status {0}")]
    Status(StatusCode),
    /// Not statistics.
    #[error("not statistics")]
    Unreadable(#[from] prost::DecodeError),
    /// Statistics that make no sense.
    #[error("not a number")]
    Senseless,
}

/// Whether requests reach the pods of a revision without passing an activator. In Serve mode the
/// public Service leads straight to them. Another's ingress uses it; ours does not, so there pods
/// are asked only when activators have `reported` nothing lately.
pub(crate) fn is_needed(
    mode: SksMode,
    ready: u32,
    ingress_is_ours: bool,
    reported: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let heard = || reported.is_some_and(|at| elapsed(at, now) < SILENT);
    mode == SksMode::Serve && ready > 0 && !(ingress_is_ours && heard())
}

/// How many pods stand for `population` of them.
pub(crate) fn sample_size(population: usize) -> usize {
    if population <= SMALL {
        return population;
    }
    let population = population as f64;
    (population * LARGEST_SAMPLE / (population + LARGEST_SAMPLE - 1.0)).ceil() as usize
}

/// The order in which pods are asked: at random, but first those that have been there for a whole
/// `window`; the others have seen too little.
pub(crate) fn order(
    targets: Vec<Target>,
    window: Duration,
    now: Timestamp,
    chance: &mut impl rand::Rng,
) -> Vec<SocketAddr> {
    let is_old = |target: &Target| {
        let started = target.started;
        started.is_some_and(|started| elapsed(started, now) >= window)
    };
    let (mut old, mut young): (Vec<_>, Vec<_>) = targets.into_iter().partition(is_old);
    old.shuffle(chance);
    young.shuffle(chance);
    let ordered = old.into_iter().chain(young);
    ordered.map(|target| target.address).collect()
}

/// Asks as many of `pods`, in their order, as it takes for a sample; returns the load of all.
///
/// # Errors
/// When too few answer: a guess would be worse than nothing.
pub(crate) async fn scrape(pods: Vec<SocketAddr>) -> Result<Sample, ScrapeError> {
    let (population, needed) = (pods.len(), sample_size(pods.len()));
    let mut waiting = pods.into_iter();
    let mut asked: FuturesUnordered<_> = waiting.by_ref().take(needed).map(load_of).collect();
    let (mut told, mut last) = (Vec::new(), None);
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(sample) => told.push(sample),
            Err(error) => {
                last = Some(error);
                asked.extend(waiting.next().map(load_of));
            }
        }
    }
    if told.len() < needed {
        let answers = told.len();
        return Err(ScrapeError::TooFew {
            answers,
            needed,
            last,
        });
    }
    Ok(whole(&told, population))
}

/// The load of `population` pods, of which these are a sample.
fn whole(told: &[Sample], population: usize) -> Sample {
    let factor = population as f64 / told.len().max(1) as f64;
    let sum = |part: fn(&Sample) -> f64| told.iter().map(part).sum::<f64>() * factor;
    Sample {
        concurrency: sum(|sample| sample.concurrency),
        requests: sum(|sample| sample.requests),
    }
}

/// What one pod tells, boxed: rounds of many revisions wait at the same time.
fn load_of(pod: SocketAddr) -> futures::future::BoxFuture<'static, Result<Sample, PodError>> {
    async move {
        let (status, body) = ask(&pod.to_string(), PATH, &ACCEPT, PATIENCE).await?;
        if status != StatusCode::OK {
            return Err(PodError::Status(status));
        }
        let stat = Stat::decode(body)?;
        sample(&stat).ok_or(PodError::Senseless)
    }
    .boxed()
}

#[cfg(test)]
mod tests;
