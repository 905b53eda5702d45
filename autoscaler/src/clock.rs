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
    Timestamp::from_second(now.as_second() - 1).unwrap_or(now)
}
