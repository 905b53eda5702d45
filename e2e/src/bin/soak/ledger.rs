//! What has happened, and what is told of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::fate::{Death, Failure, Subject, lost};
use super::pods::Count;
use super::wave;

/// Failures that are kept; more than these are a catastrophe anyway.
const MOST_FAILURES: usize = 1000;
const MOST_TOLD: usize = 20;

/// Shared by all who take part.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    version: AtomicU32,
}

#[derive(Debug, Default)]
struct Book {
    good: usize,
    failures: Vec<Failure>,
    more_failures: usize,
    deaths: Vec<Death>,
    /// Of *waves* and *steady*, just now.
    counts: [Count; 2],
    cycles: BTreeMap<usize, Extremes>,
    /// Since the last line.
    latencies: Vec<Duration>,
    events: Vec<String>,
}

/// What a wave came to.
#[derive(Clone, Copy, Debug, Default)]
struct Extremes {
    most_wanted: i32,
    most_ready: usize,
    was_at_zero: bool,
}

/// The end of it.
#[derive(Debug)]
pub(crate) struct Verdict {
    good: usize,
    failed: usize,
    deaths: usize,
    versions: u32,
    cycles: Vec<(usize, Extremes)>,
    /// Failures that nothing excuses.
    pub(crate) lost: Vec<Failure>,
    /// Why it was no soak at all.
    pub(crate) trouble: Vec<String>,
}

// === impl Ledger ===

impl Ledger {
    /// A good answer.
    pub(crate) fn good(&self, took: Duration) {
        let mut book = self.book.lock();
        book.good += 1;
        book.latencies.push(took);
    }

    /// No good answer.
    pub(crate) fn bad(&self, failure: Failure) {
        self.event(format!("{}: {}", failure.subject.name(), failure.what));
        let mut book = self.book.lock();
        if book.failures.len() < MOST_FAILURES {
            book.failures.push(failure);
        } else {
            book.more_failures += 1;
        }
    }

    /// A pod has died.
    pub(crate) fn death(&self, death: Death) {
        self.book.lock().deaths.push(death);
    }

    /// The pods of a Service were counted.
    pub(crate) fn counted(&self, subject: Subject, cycle: usize, count: Count) {
        let mut book = self.book.lock();
        match subject {
            Subject::Waves => {
                let extremes = book.cycles.entry(cycle).or_default();
                extremes.most_wanted = extremes.most_wanted.max(count.wanted);
                extremes.most_ready = extremes.most_ready.max(count.ready);
                extremes.was_at_zero |= count.there == 0 && extremes.most_ready > 0;
                book.counts[0] = count;
            }
            Subject::Steady => book.counts[1] = count,
        }
    }

    /// The version that is Ready.
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// A version is Ready.
    pub(crate) fn ready(&self, version: u32) {
        self.version.store(version, Ordering::Release);
    }

    /// Something to tell with the next line. Of too many the last are told.
    pub(crate) fn event(&self, event: String) {
        let mut book = self.book.lock();
        if book.events.len() >= MOST_TOLD {
            book.events.remove(0);
        }
        book.events.push(event);
    }

    /// What there is to tell since the last line, which was `since` ago.
    pub(crate) fn line(&self, since: Duration) -> String {
        let mut book = self.book.lock();
        let (mut latencies, events) = {
            let book = &mut *book;
            (
                std::mem::take(&mut book.latencies),
                std::mem::take(&mut book.events),
            )
        };
        latencies.sort_unstable();
        let p99 = latencies.get(latencies.len() * 99 / 100);
        let [waves, steady] = book.counts;
        format!(
            "waves {:2}/{:<2}  steady {}/{}  {:4.0} req/s  {} ok  {} failed  p99 {:4} ms  {}",
            waves.ready,
            waves.wanted,
            steady.ready,
            steady.wanted,
            latencies.len() as f64 / since.as_secs_f64(),
            book.good,
            book.failures.len() + book.more_failures,
            p99.map_or(0, Duration::as_millis),
            events.join("; "),
        )
    }

    /// What became of it all, of which `cycles` waves are whole.
    pub(crate) fn verdict(&self, cycles: usize) -> Verdict {
        let book = self.book.lock();
        let whole = book.cycles.iter().take_while(|(cycle, _)| **cycle < cycles);
        let cycles: Vec<_> = whole.map(|(cycle, extremes)| (*cycle, *extremes)).collect();
        let mut trouble: Vec<_> = cycles
            .iter()
            .filter_map(|(cycle, it)| it.trouble(*cycle))
            .collect();
        if book.more_failures > 0 {
            trouble.push(format!("{} more failures", book.more_failures));
        }
        Verdict {
            good: book.good,
            failed: book.failures.len() + book.more_failures,
            deaths: book.deaths.len(),
            versions: self.version(),
            cycles,
            lost: lost(&book.failures, &book.deaths),
            trouble,
        }
    }
}

// === impl Extremes ===

impl Extremes {
    fn trouble(&self, cycle: usize) -> Option<String> {
        let full = self.most_wanted >= wave::PODS;
        (!full || !self.was_at_zero).then(|| format!("wave {}: {self}", cycle + 1))
    }
}

impl fmt::Display for Extremes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.was_at_zero {
            "then none"
        } else {
            "and never none"
        };
        write!(
            f,
            "{} pods wanted, {} ready, {end}",
            self.most_wanted, self.most_ready
        )
    }
}

// === impl Verdict ===

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excused = self.failed.saturating_sub(self.lost.len());
        writeln!(
            f,
            "{} answered, {} failed, of which {excused} were with a pod that died; {} pods died, {} versions",
            self.good, self.failed, self.deaths, self.versions
        )?;
        for (cycle, extremes) in &self.cycles {
            writeln!(f, "wave {}: {extremes}", cycle + 1)?;
        }
        for failure in self.lost.iter().take(MOST_TOLD) {
            let took = failure.ended - failure.begun;
            let (name, what) = (failure.subject.name(), &failure.what);
            writeln!(f, "lost: {name} after {} ms: {what}", took.as_millis())?;
        }
        Ok(())
    }
}
