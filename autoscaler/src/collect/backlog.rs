//! Reports that come late, because we were held up or their sender was: they count for the seconds in
//! which they should have come. Taken as of now, five late seconds of six requests would be thirty
//! requests in one, and bring pods for thirty, to a machine that has too much to do already.

use jiff::Timestamp;
use net::stat::{Stat, WireStatMessages};

use crate::clock::{is_first_half, seconds_before};

/// Frames that are taken together: more have to wait, and are as late as those.
pub(super) const MOST: usize = 64;

/// The reports of one stream.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The second of its last regular report.
    last: Option<Timestamp>,
}

impl Backlog {
    /// Each of the frames that lie ready, with the second that it is about, in the order in which they
    /// came. They were sent a second apart.
    pub(super) fn dated(
        &mut self,
        frames: Vec<WireStatMessages>,
        now: Timestamp,
    ) -> Vec<(WireStatMessages, Timestamp)> {
        let count = frames.iter().filter(|frame| kind(frame) == Kind::Regular);
        let newest = self.age_of_newest(count.count(), now);
        let mut regular = 0;
        let mut dated = Vec::with_capacity(frames.len());
        for frame in frames.into_iter().rev() {
            let age = match kind(&frame) {
                Kind::Regular => {
                    regular += 1;
                    newest + regular - 1
                }
                // The regular report of that second, which follows it, leaves it out.
                Kind::Poke if regular > 0 => newest + regular - 1,
                Kind::Poke | Kind::Stamped => 0,
            };
            let at = match age {
                0 => now,
                age => seconds_before(now, age),
            };
            dated.push((frame, at));
        }
        dated.reverse();
        if regular > 0 {
            self.last = self.last.max(Some(seconds_before(now, newest)));
        }
        dated
    }

    /// How many seconds ago the newest of `count` regular reports was due. Activators report in the middle
    /// of a second: one that comes in the first half, after a second without any, is that second's.
    fn age_of_newest(&self, count: usize, now: Timestamp) -> i64 {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let missing = |last: Timestamp| last.as_second() < now.as_second() - count;
        i64::from(is_first_half(now) && self.last.is_some_and(missing))
    }
}

/// What a frame says of the time that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An activator's report of a second.
    Regular,
    /// First requests, told of between two seconds.
    Poke,
    /// Passed on by another replica, which says when it came: several activators may speak at once.
    Stamped,
}

fn kind(frame: &WireStatMessages) -> Kind {
    let stats = || {
        frame
            .messages
            .iter()
            .filter_map(|message| message.stat.as_ref())
    };
    let is_first =
        |stat: &Stat| stat.average_concurrent_requests == 1.0 && stat.request_count == 1.0;
    if stats().all(|stat| stat.timestamp != 0) {
        Kind::Stamped
    } else if stats().all(is_first) {
        Kind::Poke
    } else {
        Kind::Regular
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use net::stat::{Stat, WireStatMessage, WireStatMessages};

    use super::Backlog;

    /// A frame with one report of so many requests at once.
    fn frame(requests: f64, timestamp: i64) -> WireStatMessages {
        let stat = Stat {
            average_concurrent_requests: requests,
            request_count: requests,
            timestamp,
            ..Stat::default()
        };
        let message = WireStatMessage {
            stat: Some(stat),
            ..WireStatMessage::default()
        };
        WireStatMessages {
            messages: vec![message],
        }
    }

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap()
    }

    /// How many seconds before now each frame is taken to be about.
    fn ages(frames: Vec<WireStatMessages>) -> Vec<i64> {
        let dated = Backlog::default().dated(frames, at(1000.0));
        dated.iter().map(|(_, at)| 1000 - at.as_second()).collect()
    }

    #[test]
    fn late_reports_count_for_the_seconds_in_which_they_were_sent() {
        for (frames, seconds) in [
            (vec![6.0], vec![0]),
            (vec![6.0, 6.0, 6.0], vec![2, 1, 0]),
            (vec![1.0], vec![0]),
            (vec![1.0, 5.0], vec![0, 0]),
            (vec![1.0, 5.0, 6.0], vec![1, 1, 0]),
            (vec![5.0, 1.0], vec![0, 0]),
            (vec![], vec![]),
        ] {
            let told = format!("{frames:?}");
            let frames = frames.into_iter().map(|requests| frame(requests, 0));
            assert_eq!(ages(frames.collect()), seconds, "{told}");
        }
    }

    #[test]
    fn what_another_replica_passes_on_has_its_time_already() {
        let word = WireStatMessages::default();
        let frames = vec![frame(6.0, 999), frame(4.0, 1000), word, frame(6.0, 1000)];
        assert_eq!(ages(frames), [0, 0, 0, 0]);
    }

    #[test]
    fn report_that_comes_after_its_second_counts_for_it() {
        let regular = |count| vec![frame(6.0, 0); count];
        let mut backlog = Backlog::default();
        for (come, frames, seconds) in [
            (1000.5, 1, vec![1000]),
            (1001.5, 1, vec![1001]),
            // Late, so that the next one comes in the same second.
            (1003.1, 1, vec![1002]),
            (1003.5, 1, vec![1003]),
            // Several, all late.
            (1007.2, 3, vec![1004, 1005, 1006]),
            (1007.5, 1, vec![1007]),
            // One was never sent; this one is in time.
            (1009.6, 1, vec![1009]),
            // None is missing: their sender's clock is early.
            (1010.1, 1, vec![1010]),
            (1011.1, 1, vec![1011]),
        ] {
            let dated = backlog.dated(regular(frames), at(come));
            let dated: Vec<_> = dated.iter().map(|(_, at)| at.as_second()).collect();
            assert_eq!(dated, seconds, "at {come}");
        }
    }
}
