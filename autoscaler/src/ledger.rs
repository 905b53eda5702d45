//! What activators reported, per revision. Written by every stream of statistics, read by the
//! decisions; nothing waits in a queue between them.
//!
//! Silence: activators say nothing of revisions without requests. While we listen to at least one
//! of them, silence means no load; but only after we have listened for a whole stable window, so
//! that a restart takes nobody's pods before those who hold requests have come back
//! (contract/data-plane 9, trap 7).
//!
//! Every replica keeps all of it: what one hears it passes on ([`crate::peers`]), so that whoever
//! takes over a revision knows its last hour as well as the one before.

mod early;
mod hearing;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::{elapsed, last_whole_second};
use crate::decide::Load;
use crate::id::RevisionId;
use crate::rules::Rules;
use crate::target::Metric;
use crate::window::Window;
use early::Early;
use hearing::Hearing;

/// One report about one revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Requests in flight, on average over the report's second.
    pub concurrency: f64,
    /// Requests that came.
    pub requests: f64,
}

/// Where reports come from, and how much their silence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Activators, which see every request of the revision.
    Activators {
        /// Since when at least one of them has been connected, here or to another replica.
        since: Option<Timestamp>,
    },
    /// The pods themselves, which are asked each second: what they say counts, also that there is
    /// nothing, and silence says nothing.
    Pods,
}

/// All reports.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: Mutex<HashMap<RevisionId, Arc<Account>>>,
    early: Mutex<Early>,
    hearing: Mutex<Hearing>,
}

/// An activator's stream of reports that is open. Dropping it closes it in the books.
#[derive(Debug)]
pub struct Stream {
    ledger: Arc<Ledger>,
}

/// The reports about one revision.
#[derive(Debug)]
pub struct Account {
    rings: Mutex<Rings>,
    dozing: AtomicBool,
    wake: Notify,
}

#[derive(Debug)]
struct Rings {
    concurrency: Pair,
    requests: Pair,
    /// Second of the last report.
    reported: Option<Timestamp>,
}

#[derive(Debug)]
struct Pair {
    stable: Window,
    panic: Window,
}

impl Ledger {
    /// Opens the account of a revision, with what was reported before we knew of it.
    pub fn open(&self, id: &RevisionId, rules: &Rules, now: Timestamp) -> Arc<Account> {
        let account = Arc::new(Account::new(rules));
        self.accounts
            .lock()
            .insert(id.clone(), Arc::clone(&account));
        // After the insert: a report in between finds the account.
        let early = self.early.lock().take(id, now);
        early
            .into_iter()
            .for_each(|(at, sample)| account.record(at, sample));
        account
    }

    /// Closes the account of a revision that is gone.
    pub fn close(&self, id: &RevisionId) {
        self.accounts.lock().remove(id);
    }

    /// Wakes the decisions about a revision.
    pub fn wake(&self, id: &RevisionId) {
        let account = self.accounts.lock().get(id).cloned();
        account.iter().for_each(|account| account.wake.notify_one());
    }

    /// Takes a report of the second `at`. A report that wakes a revision from zero does so at once.
    pub fn record(&self, id: RevisionId, sample: Sample, at: Timestamp) {
        let account = self.accounts.lock().get(&id).cloned();
        match account {
            Some(account) => account.record(at, sample),
            None => self.early.lock().keep(id, at, sample),
        }
    }

    /// Counts an activator's stream of reports until it is dropped.
    pub fn listen(self: &Arc<Self>, now: Timestamp) -> Stream {
        self.hearing.lock().join(now);
        Stream {
            ledger: Arc::clone(self),
        }
    }

    /// Another replica, which hears an activator, has passed on what it heard.
    pub fn relayed(&self, now: Timestamp) {
        self.hearing.lock().relay(now);
    }

    /// Streams of activators that are open here.
    pub fn streams(&self) -> usize {
        self.hearing.lock().activators()
    }

    /// Where reports come from at `now`.
    pub fn source(&self, now: Timestamp) -> Source {
        Source::Activators {
            since: self.hearing.lock().since(now),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ledger.hearing.lock().leave();
    }
}

impl Source {
    /// Whether saying nothing means that there is no load.
    fn silence_is_zero(self, stable_window: Duration, now: Timestamp) -> bool {
        match self {
            Self::Activators { since } => {
                since.is_some_and(|since| elapsed(since, now) >= stable_window)
            }
            Self::Pods => false,
        }
    }
}

impl Account {
    fn new(rules: &Rules) -> Self {
        let pair = || Pair {
            stable: Window::new(rules.spec.stable_window),
            panic: Window::new(rules.panic_window),
        };
        let rings = Rings {
            concurrency: pair(),
            requests: pair(),
            reported: None,
        };
        Self {
            rings: Mutex::new(rings),
            dozing: AtomicBool::new(true),
            wake: Notify::new(),
        }
    }

    fn record(&self, at: Timestamp, sample: Sample) {
        {
            let mut rings = self.rings.lock();
            rings.record(at, sample);
            rings.reported = Some(at);
        }
        if sample.concurrency > 0.0 && self.dozing.load(Ordering::Acquire) {
            self.wake.notify_one();
        }
    }

    /// Takes what pods said when they were asked.
    pub fn record_answer(&self, at: Timestamp, sample: Sample) {
        self.rings.lock().record(at, sample);
    }

    /// The second of the last report that nobody had asked for.
    pub fn reported(&self) -> Option<Timestamp> {
        self.rings.lock().reported
    }

    /// Whether the next report of load must wake us: the revision is wanted at zero.
    pub fn doze(&self, dozing: bool) {
        self.dozing.store(dozing, Ordering::Release);
    }

    /// Returns when there is a reason to decide before the next tick. Cancel-safe: a reason is
    /// kept until it was heard.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Adapts the windows to rules that changed.
    pub fn resize(&self, rules: &Rules) {
        let mut rings = self.rings.lock();
        for pair in rings.pairs() {
            pair.stable.resize(rules.spec.stable_window);
            pair.panic.resize(rules.panic_window);
        }
    }

    /// The load at `now`; nothing when it can't be known. Seconds without a report are zeros
    /// while there are `ready` pods, as if the pods themselves had been asked.
    pub fn load(&self, rules: &Rules, source: Source, ready: u32, now: Timestamp) -> Option<Load> {
        let silence_is_zero = source.silence_is_zero(rules.spec.stable_window, now);
        let mut rings = self.rings.lock();
        if silence_is_zero && ready > 0 {
            // The second before: the reports of this one may still be on their way.
            rings.record(
                last_whole_second(now),
                Sample {
                    concurrency: 0.0,
                    requests: 0.0,
                },
            );
        }
        let pair = match rules.metric {
            Metric::Concurrency => &rings.concurrency,
            Metric::Rps => &rings.requests,
        };
        if pair.stable.is_empty(now) {
            return silence_is_zero.then_some(Load {
                stable: 0.0,
                panic: 0.0,
            });
        }
        Some(Load {
            stable: pair.stable.average(now, rules.algorithm),
            panic: pair.panic.average(now, rules.algorithm),
        })
    }
}

#[cfg(test)]
impl Account {
    /// The concurrency of all seconds of the stable window, added up.
    pub(crate) fn sum(&self) -> f64 {
        self.rings.lock().concurrency.stable.sum()
    }
}

impl Rings {
    fn pairs(&mut self) -> [&mut Pair; 2] {
        [&mut self.concurrency, &mut self.requests]
    }

    fn record(&mut self, at: Timestamp, sample: Sample) {
        for (pair, value) in self
            .pairs()
            .into_iter()
            .zip([sample.concurrency, sample.requests])
        {
            pair.stable.record(at, value);
            pair.panic.record(at, value);
        }
    }
}

#[cfg(test)]
mod tests;
