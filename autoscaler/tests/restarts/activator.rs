//! An activator with one revision: it counts with the real counter, tells the first request at once,
//! and holds requests while there is no pod (contract/data-plane 2.4, 2.6). Times are milliseconds.

use std::collections::VecDeque;
use std::time::Duration;

use autoscaler::ledger::Sample;
use net::load::{Load, Origin};
use tokio::time::Instant;

/// What the first request of an idle revision says at once.
pub(crate) const POKE: Sample = Sample {
    concurrency: 1.0,
    requests: 1.0,
};

/// The activator.
pub(crate) struct Activator {
    origin: Instant,
    load: Load,
    state: State,
    /// How long each request that waits will take.
    line: VecDeque<i64>,
    /// When each request that was sent ends.
    sent: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Poked,
    Regular,
}

impl Activator {
    pub(crate) fn new(now: i64) -> Self {
        let origin = Instant::now();
        Self {
            origin,
            load: Load::new(moment(origin, now)),
            state: State::Idle,
            line: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    /// A request came. Whether it must be told at once.
    pub(crate) fn enter(&mut self, takes: i64, now: i64) -> bool {
        let first = self.state == State::Idle;
        let now = moment(self.origin, now);
        if first {
            self.load.report(now);
            self.state = State::Poked;
        }
        self.load.enter(Origin::Direct, now);
        self.line.push_back(takes);
        first
    }

    /// Sends what waits if there is a pod, and takes the answers that are there.
    pub(crate) fn serve(&mut self, has_pod: bool, now: i64) {
        if has_pod {
            self.sent
                .extend(self.line.drain(..).map(|takes| now + takes));
        }
        let before = self.sent.len();
        self.sent.retain(|end| *end > now);
        for _ in self.sent.len()..before {
            self.load.leave(Origin::Direct, moment(self.origin, now));
        }
    }

    /// The report of the last second, if there is anything to tell.
    pub(crate) fn report(&mut self, now: i64) -> Option<Sample> {
        let report = self.load.report(moment(self.origin, now));
        let sample = Sample {
            concurrency: report.concurrency,
            requests: report.count,
        };
        match std::mem::replace(&mut self.state, State::Regular) {
            State::Poked => Some(Sample {
                concurrency: (sample.concurrency - POKE.concurrency).max(0.0),
                requests: sample.requests - POKE.requests,
            }),
            State::Regular if report.concurrency > 0.0 || self.load.in_flight() > 0 => Some(sample),
            State::Idle | State::Regular => {
                self.state = State::Idle;
                None
            }
        }
    }

    /// Requests that wait for a pod.
    pub(crate) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Whether everything that came was answered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.line.is_empty() && self.sent.is_empty()
    }
}

fn moment(origin: Instant, millis: i64) -> Instant {
    origin + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
