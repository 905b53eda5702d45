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
        let before = if is_poke(&frame) {
            // The regular report of that second, which follows it, leaves it out.
            (regular - 1).max(0)
        } else {
            regular += 1;
            regular - 1
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

/// Whether a frame was sent between two seconds: it tells of first requests only.
fn is_poke(frame: &WireStatMessages) -> bool {
    let is_first =
        |stat: &Stat| stat.average_concurrent_requests == 1.0 && stat.request_count == 1.0;
    let mut stats = frame.messages.iter().map(|message| &message.stat);
    stats.all(|stat| stat.as_ref().is_none_or(is_first))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use net::stat::{Stat, WireStatMessage, WireStatMessages};

    use super::dated;

    /// A frame with one report of so many requests at once.
    fn frame(requests: f64) -> WireStatMessages {
        let stat = Stat {
            average_concurrent_requests: requests,
            request_count: requests,
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
            let now = Timestamp::from_second(1000).unwrap();
            let told = format!("{frames:?}");
            let dated = dated(frames.into_iter().map(frame).collect(), now);
            let ages: Vec<_> = dated.iter().map(|(_, at)| 1000 - at.as_second()).collect();
            assert_eq!(ages, seconds, "{told}");
        }
    }
}
