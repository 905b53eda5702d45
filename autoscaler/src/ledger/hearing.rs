//! Whether anybody tells us of load, and since when. An activator that is connected does; so does
//! another replica of ours, for as long as an activator is connected there.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::elapsed;

/// How long the word of another replica holds: it comes every second.
const RELAYED: Duration = Duration::from_secs(3);
/// A silence that is no longer tells nothing: activators that lost the replica they were connected
/// to have come back by then.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// How long after somebody listens again the first report of a busy revision may take.
const FIRST_REPORT: Duration = Duration::from_secs(2);

/// What we know of those who report.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    activators: usize,
    relayed: Option<Timestamp>,
    heard: Option<Heard>,
}

/// An unbroken time of hearing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its first moment.
    pub since: Timestamp,
    /// Its last moment so far.
    pub until: Timestamp,
}

/// A time in which nobody told us of load, and which is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// When we heard somebody for the last time.
    after: Timestamp,
    /// When we heard somebody again.
    until: Timestamp,
}

impl Missed {
    /// Whether a revision whose last report was at `reported` had load when this began: the reports
    /// that are missing would have told of it.
    pub(super) fn interrupts(self, reported: Timestamp) -> bool {
        reported.as_second() >= self.after.as_second() - 1
    }

    /// Whether, at `now`, a report may still come that tells what these seconds were.
    pub(super) fn is_open(self, now: Timestamp) -> bool {
        elapsed(self.until, now) < FIRST_REPORT
    }
}

impl Hearing {
    /// An activator has connected. Returns the time before it in which nobody was.
    pub(super) fn join(&mut self, now: Timestamp) -> Option<Missed> {
        let missed = self.hear(now);
        self.activators += 1;
        missed
    }

    /// An activator has gone.
    pub(super) fn leave(&mut self) {
        self.activators -= 1;
    }

    /// Another replica says that it hears an activator. Returns the time before that if it was longer
    /// than such words are usually apart.
    pub(super) fn relay(&mut self, now: Timestamp) -> Option<Missed> {
        self.relayed = Some(now);
        let missed = self.hear(now);
        missed.filter(|missed| elapsed(missed.after, now) >= FIRST_REPORT)
    }

    /// Activators that are connected here.
    pub(super) fn activators(&self) -> usize {
        self.activators
    }

    /// Since and until when somebody has told us of load; nothing if nobody does now.
    pub(super) fn heard(&mut self, now: Timestamp) -> Option<Heard> {
        if self.activators > 0 {
            self.hear(now);
        }
        let relayed = |at: Timestamp| elapsed(at, now) < RELAYED;
        let hears = self.activators > 0 || self.relayed.is_some_and(relayed);
        self.heard.filter(|_| hears)
    }

    fn hear(&mut self, now: Timestamp) -> Option<Missed> {
        let before = self.heard.replace(Heard {
            since: now,
            until: now,
        });
        let before = before?;
        let unbroken = self.activators > 0;
        let since = if unbroken || elapsed(before.until, now) <= LONGEST_GAP {
            before.since
        } else {
            now
        };
        self.heard = Some(Heard { since, until: now });
        (!unbroken).then_some(Missed {
            after: before.until,
            until: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, Hearing, Missed};
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn since(hearing: &mut Hearing, now: Timestamp) -> Option<Timestamp> {
        hearing.heard(now).map(|heard| heard.since)
    }

    #[test]
    fn one_activator_is_enough_wherever_it_is_connected() {
        let mut hearing = Hearing::default();
        assert_eq!(since(&mut hearing, at(0)), None);
        hearing.relay(at(5));
        assert_eq!(since(&mut hearing, at(7)), Some(at(5)));
        assert_eq!(
            since(&mut hearing, at(8)),
            None,
            "the other replica fell silent"
        );
        hearing.join(at(9));
        hearing.join(at(10));
        hearing.leave();
        assert_eq!(since(&mut hearing, at(500)), Some(at(5)), "without a break");
        hearing.leave();
        assert_eq!(since(&mut hearing, at(500)), None);
    }

    #[test]
    fn hearing_survives_a_short_break_only() {
        let mut hearing = Hearing::default();
        hearing.join(at(0));
        assert_eq!(since(&mut hearing, at(100)), Some(at(0)));
        hearing.leave();
        hearing.join(at(110));
        assert_eq!(since(&mut hearing, at(110)), Some(at(0)));
        hearing.leave();
        hearing.join(at(121));
        assert_eq!(since(&mut hearing, at(121)), Some(at(121)));
    }

    #[test]
    fn a_word_holds_until_it_was_said() {
        let mut hearing = Hearing::default();
        let heard = |since, until| {
            let [since, until] = [since, until].map(at);
            Some(Heard { since, until })
        };
        hearing.relay(at(5));
        assert_eq!(hearing.heard(at(7)), heard(5, 5));
        hearing.join(at(7));
        assert_eq!(hearing.heard(at(9)), heard(5, 9));
    }

    #[test]
    fn the_time_without_a_word_is_told_when_it_is_over() {
        let missed = |after, until| {
            let [after, until] = [after, until].map(at);
            Some(Missed { after, until })
        };
        let mut hearing = Hearing::default();
        assert_eq!(hearing.join(at(0)), None, "we have just begun");
        assert_eq!(hearing.join(at(1)), None, "somebody was there");
        hearing.leave();
        hearing.leave();
        assert_eq!(hearing.join(at(3)), missed(1, 3));
        hearing.leave();
        assert_eq!(hearing.relay(at(4)), None, "it comes every second");
        assert_eq!(hearing.relay(at(5)), None);
        assert_eq!(hearing.relay(at(7)), missed(5, 7));
    }
}
