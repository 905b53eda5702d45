//! Whether, when and with what success the tender asks the revision's pods for their load.

use std::time::Duration;

use crds::condition::Truth;
use jiff::Timestamp;
use net::contract::name::INGRESS_CLASS;
use tokio::time::Instant;
use tracing::debug;

use super::super::pass::Pass;
use super::Tender;
use super::work::Done;
use crate::ledger::{Sample, Source};
use crate::scrape::{self, ScrapeError};

/// Rounds that fail in a row before the Metric says so: a pod that leaves fails one.
const ROUNDS_BEFORE_TOLD: u32 = 3;

/// How it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scraping {
    /// Whether requests reach the pods without passing an activator.
    needed: bool,
    /// Whether a round is under way.
    busy: bool,
    /// Rounds that have failed since the last that did not.
    failures: u32,
}

impl Scraping {
    /// What the Metric says. What activators report without being asked can't fail.
    pub(super) fn verdict(self) -> Truth {
        if self.needed && self.failures >= ROUNDS_BEFORE_TOLD {
            return Truth::no("DidNotReceiveStat", "Too few pods told their load.");
        }
        Truth::True
    }
}

impl Tender {
    /// Where the load is known from.
    pub(super) fn source(&self, now: Timestamp) -> Source {
        if self.scraping.needed {
            return Source::Pods;
        }
        self.world.ledger.source(now)
    }

    /// Finds out whether pods must be asked from now on.
    pub(super) fn choose_source(&mut self, pass: &Pass, ready: u32, now: Timestamp) {
        let ours = self.world.settings.borrow().network.ingress_class == INGRESS_CLASS;
        let reported = self.account.reported();
        self.scraping.needed = scrape::is_needed(pass.mode, ready, ours, reported, now);
    }

    /// Whether it is for us to ask: who holds the lease asks, and tells the others.
    pub(super) fn asks_pods(&self) -> bool {
        self.scraping.needed && !self.scraping.busy && self.gauges.is_some()
    }

    /// Begins a round.
    pub(super) fn ask_pods(&mut self, now: Timestamp) {
        let targets = self.world.pods.targets(&self.id);
        if targets.is_empty() {
            return;
        }
        self.scraping.busy = true;
        let window = self.rules.spec.stable_window;
        let pods = scrape::order(targets, window, now, &mut rand::rng());
        self.work.push(Box::pin(async move {
            let since = Instant::now();
            let answer = scrape::scrape(pods).await;
            let took = since.elapsed();
            Done::Scraped { answer, took }
        }));
    }

    /// Takes the answer of a round. After one that failed, nothing is known of its second.
    pub(super) fn note_answer(
        &mut self,
        answer: Result<Sample, ScrapeError>,
        took: Duration,
        now: Timestamp,
    ) {
        self.scraping.busy = false;
        match answer {
            Ok(sample) => {
                self.scraping.failures = 0;
                if let Some(gauges) = &self.gauges {
                    gauges.scraped(took);
                }
                self.account.record_answer(now, sample);
                self.world.peers.tell_answer(&self.id, sample, now);
            }
            Err(error) => {
                self.scraping.failures = self.scraping.failures.saturating_add(1);
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                debug!(%error, cause, "pods did not tell their load");
            }
        }
    }
}
