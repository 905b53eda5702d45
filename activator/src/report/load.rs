//! When a revision is reported, and what (contract/data-plane 2.6): the counting is
//! [`net::load`]'s, the poke is ours. Clocks are arguments.

use net::load::{self, Origin};
use tokio::time::Instant;

/// Requests of one revision, since the last report.
#[derive(Debug)]
pub(crate) struct Load {
    counted: load::Load,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody reports it: the next request must be told at once.
    Idle,
    /// Told at once; the next report must not count that request a second time.
    Poked,
    /// Reported regularly.
    Regular,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Requests that were here, on average.
    pub(crate) concurrency: f64,
    /// Requests that came.
    pub(crate) count: f64,
}

/// What the first request of an idle revision says at once.
pub(crate) const POKE: Sample = Sample {
    concurrency: 1.0,
    count: 1.0,
};

impl Load {
    /// Idle.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            counted: load::Load::new(now),
            state: State::Idle,
        }
    }

    /// A request came. True when it is the first of an idle revision, which nobody reports yet.
    pub(crate) fn enter(&mut self, now: Instant) -> bool {
        let first = self.state == State::Idle;
        if first {
            // The time since the last report belongs to nobody.
            self.counted.report(now);
            self.state = State::Poked;
        }
        self.counted.enter(Origin::Direct, now);
        first
    }

    /// A request is done.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.counted.leave(Origin::Direct, now);
    }

    /// The poke was not taken: the next request pokes again.
    pub(crate) fn unpoked(&mut self) {
        self.state = State::Idle;
    }

    /// The time since the last report, or None when nothing happened in it: then nobody needs to
    /// report this revision until a request comes.
    pub(crate) fn report(&mut self, now: Instant) -> Option<Sample> {
        let load::Report {
            concurrency, count, ..
        } = self.counted.report(now);
        match std::mem::replace(&mut self.state, State::Regular) {
            State::Poked => Some(Sample {
                concurrency: (concurrency - POKE.concurrency).max(0.0),
                count: count - POKE.count,
            }),
            State::Idle | State::Regular if concurrency > 0.0 || self.counted.in_flight() > 0 => {
                Some(Sample { concurrency, count })
            }
            State::Idle | State::Regular => {
                self.state = State::Idle;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Load, Sample};

    #[test]
    fn first_request_pokes_and_is_not_counted_twice() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut load = Load::new(start);
        assert!(load.enter(at(5_000)));
        assert!(!load.enter(at(5_500)));
        assert_eq!(
            load.report(at(6_000)),
            Some(Sample {
                concurrency: 0.5,
                count: 1.0
            })
        );
        load.leave(at(6_500));
        assert_eq!(
            load.report(at(7_000)),
            Some(Sample {
                concurrency: 1.5,
                count: 0.0
            })
        );
        load.leave(at(7_000));
        assert_eq!(load.report(at(8_000)), None);
        assert!(load.enter(at(9_000)));
    }

    #[test]
    fn short_request_leaves_an_average_of_zero_after_its_poke() {
        let start = Instant::now();
        let mut load = Load::new(start);
        assert!(load.enter(start));
        load.leave(start + Duration::from_millis(10));
        let report = load.report(start + Duration::from_secs(1));
        assert_eq!(
            report,
            Some(Sample {
                concurrency: 0.0,
                count: 0.0
            })
        );
    }

    #[test]
    fn poke_that_was_not_taken_is_repeated() {
        let now = Instant::now();
        let mut load = Load::new(now);
        assert!(load.enter(now));
        load.unpoked();
        assert!(load.enter(now));
    }
}
