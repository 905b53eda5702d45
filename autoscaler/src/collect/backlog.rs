//! Reports that lie ready together: we were held up, and they were sent a second apart. Taken as of
//! now, five late seconds of six requests would be thirty requests in one, and bring pods for thirty,
//! to a machine that has too much to do already.

use jiff::Timestamp;
use net::stat::{Stat, WireStatMessages};

use crate::clock::seconds_before;

/// Frames that are taken together: more have to wait, and are as late as those.
pub(super) const MOST: usize = 64;

/// Each frame with the second that it is about, in the order in which they came.
pub(super) fn dated(
    frames: Vec<WireStatMessages>,
    now: Timestamp,
) -> Vec<(WireStatMessages, Timestamp)> {
    let mut regular = 0;
    let mut dated = Vec::with_capacity(frames.len());
    for frame in frames.into_iter().rev() {
        let before = match kind(&frame) {
            Kind::Regular => {
                regular += 1;
                regular - 1
            }
            // The regular report of that second, which follows it, leaves it out.
            Kind::Poke => (regular - 1).max(0),
            Kind::Stamped => 0,
        };
        let at = match before {
            0 => now,
            before => seconds_before(now, before),
        };
        dated.push((frame, at));
    }
    dated.reverse();
    dated
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

    use super::dated;

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

    /// How many seconds before now each frame is taken to be about.
    fn ages(frames: Vec<WireStatMessages>) -> Vec<i64> {
        let now = Timestamp::from_second(1000).unwrap();
        let dated = dated(frames, now);
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
}
