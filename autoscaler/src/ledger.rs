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
mod rings;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::elapsed;
use crate::decide::Load;
use crate::id::RevisionId;
use crate::rules::Rules;
use early::Early;
pub use hearing::Heard;
use hearing::{Hearing, Missed};
use rings::Rings;

/// One report about one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
        /// How long at least one of them has been connected, here or to another replica.
        heard: Option<Heard>,
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

    /// Takes what another replica knows of the second `at`: what we know of it already is part of
    /// that. A revision that we do not know is left out.
    pub(crate) fn raise(&self, id: &RevisionId, sample: Sample, at: Timestamp) {
        let account = self.accounts.lock().get(id).cloned();
        account
            .iter()
            .for_each(|account| account.rings.lock().raise(at, sample));
    }

    /// All accounts.
    pub(crate) fn accounts(&self) -> Vec<(RevisionId, Arc<Account>)> {
        let accounts = self.accounts.lock();
        let all = accounts.iter();
        all.map(|(id, account)| (id.clone(), Arc::clone(account)))
            .collect()
    }

    /// Counts an activator's stream of reports until it is dropped.
    pub fn listen(self: &Arc<Self>, now: Timestamp) -> Stream {
        let missed = self.hearing.lock().join(now);
        self.resume(missed);
        Stream {
            ledger: Arc::clone(self),
        }
    }

    /// Another replica, which hears an activator, has passed on what it heard.
    pub fn relayed(&self, now: Timestamp) {
        let missed = self.hearing.lock().relay(now);
        self.resume(missed);
    }

    /// Streams of activators that are open here.
    pub fn streams(&self) -> usize {
        self.hearing.lock().activators()
    }

    /// Where reports come from at `now`.
    pub fn source(&self, now: Timestamp) -> Source {
        Source::Activators {
            heard: self.hearing.lock().heard(now),
        }
    }

    fn resume(&self, missed: Option<Missed>) {
        if let Some(missed) = missed {
            let accounts = self.accounts.lock();
            let all = accounts.values();
            all.for_each(|account| account.rings.lock().resume(missed));
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ledger.hearing.lock().leave();
    }
}

impl Source {
    /// The last moment in which saying nothing meant that there was no load.
    fn silent_until(self, stable_window: Duration, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Activators { heard } => heard
                .filter(|heard| elapsed(heard.since, now) >= stable_window)
                .map(|heard| heard.until),
            Self::Pods => None,
        }
    }
}

impl Account {
    fn new(rules: &Rules) -> Self {
        Self {
            rings: Mutex::new(Rings::new(rules)),
            dozing: AtomicBool::new(true),
            wake: Notify::new(),
        }
    }

    fn record(&self, at: Timestamp, sample: Sample) {
        let news = self.rings.lock().report(at, sample);
        let dozing = self.dozing.load(Ordering::Acquire);
        if news || dozing && sample.concurrency > 0.0 {
            self.wake.notify_one();
        }
    }

    /// Has the next report of load wake the decisions, however regular it is.
    pub fn await_report(&self) {
        self.rings.lock().await_report();
    }

    /// Takes what pods said when they were asked.
    pub fn record_answer(&self, at: Timestamp, sample: Sample) {
        self.rings.lock().record(at, sample);
    }

    /// The second of the last report that nobody had asked for.
    pub fn reported(&self) -> Option<Timestamp> {
        self.rings.lock().reported()
    }

    /// What is known of the stable window's seconds up to `last`; those without load are left out,
    /// but for the first.
    pub(crate) fn seconds(&self, last: Timestamp) -> Vec<(Timestamp, Sample)> {
        let seconds = self.rings.lock().seconds();
        let known = seconds
            .into_iter()
            .filter(|(second, _)| *second <= last.as_second());
        known
            .filter_map(|(second, sample)| Some((Timestamp::from_second(second).ok()?, sample)))
            .collect()
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
        self.rings.lock().resize(rules);
    }

    /// The load at `now`; nothing when it can't be known. Seconds without a report are zeros
    /// while there are `ready` pods, as if the pods themselves had been asked.
    pub fn load(&self, rules: &Rules, source: Source, ready: u32, now: Timestamp) -> Option<Load> {
        let silent_until = source.silent_until(rules.spec.stable_window, now);
        let mut rings = self.rings.lock();
        if let Some(word) = silent_until.filter(|_| ready > 0) {
            rings.be_silent(word, now);
        }
        let nothing = silent_until.map(|_| Load {
            stable: 0.0,
            panic: 0.0,
        });
        rings.load(rules, now).or(nothing)
    }
}

#[cfg(test)]
impl Account {
    /// The concurrency of all seconds of the stable window, added up.
    pub(crate) fn sum(&self) -> f64 {
        self.rings.lock().sum()
    }
}

#[cfg(test)]
mod tests;
