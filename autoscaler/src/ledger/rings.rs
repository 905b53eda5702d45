//! The windows of one revision. A second without a report is one of three things: silence of somebody
//! who would have spoken, which is zero; a report that is late; or a second in which nobody listened,
//! which counts as if it had not been.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Sample;
use super::hearing::Missed;
use crate::clock::last_whole_second;
use crate::decide::Load;
use crate::rules::Rules;
use crate::target::Metric;
use crate::window::{Algorithm, Window};

/// Reports come once a second, by way of another replica perhaps a little later: for so many seconds
/// the newest one stands for the one that is to come. Without this, a window of one second would be
/// empty most of the time, and a weighted average would lose its largest weight.
const LATE: i64 = 2;

#[derive(Debug)]
pub(super) struct Rings {
    concurrency: Pair,
    requests: Pair,
    reported: Option<Timestamp>,
    /// Seconds in which nobody listened, until it is clear what they were.
    missed: Option<Missed>,
    /// Whether the next report of load is news.
    awaited: bool,
}

#[derive(Debug)]
struct Pair {
    stable: Window,
    panic: Window,
}

impl Rings {
    /// Empty: the first report of load is news.
    pub(super) fn new(rules: &Rules) -> Self {
        let pair = || Pair {
            stable: Window::new(rules.spec.stable_window),
            panic: Window::new(rules.panic_window),
        };
        Self {
            concurrency: pair(),
            requests: pair(),
            reported: None,
            missed: None,
            awaited: true,
        }
    }

    pub(super) fn resize(&mut self, rules: &Rules) {
        for pair in self.pairs() {
            pair.stable.resize(rules.spec.stable_window);
            pair.panic.resize(rules.panic_window);
        }
    }

    /// Takes a report that nobody had asked for. Returns whether it is news: load after silence, or
    /// load that was awaited.
    pub(super) fn report(&mut self, at: Timestamp, sample: Sample) -> bool {
        let before = self.reported;
        let missed = self.missed.take().filter(|missed| missed.is_open(at));
        if let (Some(missed), Some(before)) = (missed, before)
            && missed.interrupts(before)
        {
            self.pass_over(last_whole_second(at));
        }
        self.record(at, sample);
        self.reported = before.max(Some(at));
        let silent = before.is_none_or(|before| at.as_second() - before.as_second() >= LATE);
        sample.concurrency > 0.0
            && (std::mem::take(&mut self.awaited) || missed.is_some() || silent)
    }

    /// Takes what was asked for.
    pub(super) fn record(&mut self, at: Timestamp, sample: Sample) {
        let values = [sample.concurrency, sample.requests];
        for (pair, value) in self.pairs().into_iter().zip(values) {
            pair.stable.record(at, value);
            pair.panic.record(at, value);
        }
    }

    /// Takes what another replica knows.
    pub(super) fn raise(&mut self, at: Timestamp, sample: Sample) {
        let values = [sample.concurrency, sample.requests];
        for (pair, value) in self.pairs().into_iter().zip(values) {
            pair.stable.raise(at, value);
            pair.panic.raise(at, value);
        }
    }

    /// The second of the last report that nobody had asked for.
    pub(super) fn reported(&self) -> Option<Timestamp> {
        self.reported
    }

    /// The next report of load is news, though it comes as regularly as those before.
    pub(super) fn await_report(&mut self) {
        self.awaited = true;
    }

    /// Somebody listens again.
    pub(super) fn resume(&mut self, missed: Missed) {
        self.missed = Some(missed);
    }

    /// What is known of the seconds of the stable window, and their order.
    pub(super) fn seconds(&self) -> BTreeMap<i64, Sample> {
        let mut seconds = BTreeMap::<i64, Sample>::new();
        for (second, concurrency) in self.concurrency.stable.seconds() {
            seconds.entry(second).or_default().concurrency = concurrency;
        }
        for (second, requests) in self.requests.stable.seconds() {
            seconds.entry(second).or_default().requests = requests;
        }
        seconds
    }

    /// There was silence in the second before `word`, when somebody listened last; the reports of that
    /// of `word` may still be on their way.
    pub(super) fn be_silent(&mut self, word: Timestamp, now: Timestamp) {
        if self.missed.is_some_and(|missed| missed.is_open(now)) {
            return;
        }
        self.missed = None;
        self.record(last_whole_second(word), Sample::default());
    }

    /// The load at `now`; nothing when all is older than the stable window.
    pub(super) fn load(&self, rules: &Rules, now: Timestamp) -> Option<Load> {
        let pair = match rules.metric {
            Metric::Concurrency => &self.concurrency,
            Metric::Rps => &self.requests,
        };
        let average = |window| average(window, rules.algorithm, now);
        (!pair.stable.is_empty(now)).then(|| Load {
            stable: average(&pair.stable),
            panic: average(&pair.panic),
        })
    }

    /// All of the stable window, added up.
    #[cfg(test)]
    pub(super) fn sum(&self) -> f64 {
        self.concurrency.stable.sum()
    }

    fn pass_over(&mut self, until: Timestamp) {
        for pair in self.pairs() {
            pair.stable.pass_over(until);
            pair.panic.pass_over(until);
        }
    }

    fn pairs(&mut self) -> [&mut Pair; 2] {
        [&mut self.concurrency, &mut self.requests]
    }
}

/// The average at `now`, or at the newest report if the next one may just be late.
fn average(window: &Window, algorithm: Algorithm, now: Timestamp) -> f64 {
    let last = window.last().filter(|last| {
        let age = now.as_second() - last.as_second();
        age <= LATE
    });
    window.average(last.unwrap_or(now), algorithm)
}
