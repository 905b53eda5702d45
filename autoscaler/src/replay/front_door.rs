//! What activators tell of a revision and when: the first request of an idle one at once, then every
//! second. `activator::report` does it; the counting is the same code.

use std::time::Duration;

use net::load::{Load, Origin};
use tokio::time::Instant;

use super::Micros;
use crate::ledger::Sample;

/// What the first request of an idle revision says at once.
const POKE: Sample = Sample {
    concurrency: 1.0,
    requests: 1.0,
};

#[derive(Debug)]
pub(super) struct FrontDoor {
    load: Load,
    /// The moment 0; only differences count.
    epoch: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody reports it.
    Idle,
    /// Told at once; the next report must not count that request a second time.
    Poked,
    Regular,
}

impl FrontDoor {
    pub(super) fn new() -> Self {
        let epoch = Instant::now();
        Self {
            load: Load::new(epoch),
            epoch,
            state: State::Idle,
        }
    }

    /// A request comes. Returns what must be told at once.
    pub(super) fn enter(&mut self, now: Micros) -> Option<Sample> {
        let first = self.state == State::Idle;
        if first {
            self.load.report(self.at(now));
            self.state = State::Poked;
        }
        self.load.enter(Origin::Direct, self.at(now));
        first.then_some(POKE)
    }

    /// A request is done, or given up.
    pub(super) fn leave(&mut self, now: Micros) {
        self.load.leave(Origin::Direct, self.at(now));
    }

    /// The report of the last second, if there is something to say.
    pub(super) fn report(&mut self, now: Micros) -> Option<Sample> {
        let report = self.load.report(self.at(now));
        let (concurrency, requests) = (report.concurrency, report.count);
        match std::mem::replace(&mut self.state, State::Regular) {
            State::Poked => Some(Sample {
                concurrency: (concurrency - POKE.concurrency).max(0.0),
                requests: requests - POKE.requests,
            }),
            State::Idle | State::Regular if concurrency > 0.0 || self.load.in_flight() > 0 => {
                Some(Sample {
                    concurrency,
                    requests,
                })
            }
            State::Idle | State::Regular => {
                self.state = State::Idle;
                None
            }
        }
    }

    fn at(&self, now: Micros) -> Instant {
        self.epoch + Duration::from_micros(now)
    }
}
