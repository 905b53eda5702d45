//! Wall-clock arithmetic that can't fail. Wall-clock, because windows and conditions outlive the
//! process; all of it is passed in, so tests choose the time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Time from `then` to `now`; zero when the clock was set back.
pub(crate) fn elapsed(then: Timestamp, now: Timestamp) -> Duration {
    let passed = now.duration_since(then).max(SignedDuration::ZERO);
    Duration::try_from(passed).unwrap_or(Duration::ZERO)
}

/// `now` less one second: the newest second that is over.
pub(crate) fn last_whole_second(now: Timestamp) -> Timestamp {
    seconds_before(now, 1)
}

/// The second that was so many before that of `now`.
pub(crate) fn seconds_before(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(now.as_second() - seconds).unwrap_or(now)
}

/// Whether `now` is before the middle of its second.
pub(crate) fn is_first_half(now: Timestamp) -> bool {
    (0..500_000_000).contains(&now.subsec_nanosecond())
}
