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

/// What we know of those who report.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    activators: usize,
    relayed: Option<Timestamp>,
    heard: Option<Heard>,
}

/// An unbroken time of hearing, from its first moment to the last one that we looked at.
#[derive(Clone, Copy, Debug)]
struct Heard {
    since: Timestamp,
    until: Timestamp,
}

impl Hearing {
    /// An activator has connected.
    pub(super) fn join(&mut self, now: Timestamp) {
        self.hear(now);
        self.activators += 1;
    }

    /// An activator has gone.
    pub(super) fn leave(&mut self) {
        self.activators -= 1;
    }

    /// Another replica says that it hears an activator.
    pub(super) fn relay(&mut self, now: Timestamp) {
        self.relayed = Some(now);
        self.hear(now);
    }

    /// Activators that are connected here.
    pub(super) fn activators(&self) -> usize {
        self.activators
    }

    /// Since when somebody has told us of load; nothing if nobody does now.
    pub(super) fn since(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.activators > 0 {
            self.hear(now);
        }
        let relayed = |at: Timestamp| elapsed(at, now) < RELAYED;
        let hears = self.activators > 0 || self.relayed.is_some_and(relayed);
        self.heard.filter(|_| hears).map(|heard| heard.since)
    }

    fn hear(&mut self, now: Timestamp) {
        let since = match self.heard {
            Some(heard) if self.activators > 0 => heard.since,
            Some(heard) if elapsed(heard.until, now) <= LONGEST_GAP => heard.since,
            Some(_) | None => now,
        };
        self.heard = Some(Heard { since, until: now });
    }
}

#[cfg(test)]
mod tests {
    use super::Hearing;
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn one_activator_is_enough_wherever_it_is_connected() {
        let mut hearing = Hearing::default();
        assert_eq!(hearing.since(at(0)), None);
        hearing.relay(at(5));
        assert_eq!(hearing.since(at(7)), Some(at(5)));
        assert_eq!(hearing.since(at(8)), None, "the other replica fell silent");
        hearing.join(at(9));
        hearing.join(at(10));
        hearing.leave();
        assert_eq!(hearing.since(at(500)), Some(at(5)), "without a break");
        hearing.leave();
        assert_eq!(hearing.since(at(500)), None);
    }

    #[test]
    fn hearing_survives_a_short_break_only() {
        let mut hearing = Hearing::default();
        hearing.join(at(0));
        assert_eq!(hearing.since(at(100)), Some(at(0)));
        hearing.leave();
        hearing.join(at(110));
        assert_eq!(hearing.since(at(110)), Some(at(0)));
        hearing.leave();
        hearing.join(at(121));
        assert_eq!(hearing.since(at(121)), Some(at(121)));
    }
}
