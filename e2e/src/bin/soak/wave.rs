//! The shape of the load that comes and goes. Pure.

use std::time::Duration;

/// Pods of a full wave: the most that the Service may have.
pub(crate) const PODS: i32 = 20;
/// Clients of a full wave. Of two slots a pod the autoscaler wants 1.4 used.
pub(crate) const MOST: usize = 30;

const RISE: Duration = Duration::from_secs(15);
const HIGH: Duration = Duration::from_secs(20);
const FALL: Duration = Duration::from_secs(10);
/// Until all pods are gone, and a while of nothing.
const SILENCE: Duration = Duration::from_secs(35);
const CYCLE: Duration = RISE
    .saturating_add(HIGH)
    .saturating_add(FALL)
    .saturating_add(SILENCE);

/// Clients that send requests so long after the start.
pub(crate) fn clients(since: Duration) -> usize {
    let at = Duration::from_nanos_u128(since.as_nanos() % CYCLE.as_nanos());
    let part = |time: Duration, of: Duration| {
        let most = MOST as f64;
        (most * time.as_secs_f64() / of.as_secs_f64()).ceil() as usize
    };
    let falls = RISE + HIGH;
    if at < RISE {
        part(at, RISE)
    } else if at < falls {
        MOST
    } else {
        part((falls + FALL).saturating_sub(at), FALL)
    }
}

/// In which cycle that is.
pub(crate) fn cycle(since: Duration) -> usize {
    usize::try_from(since.as_nanos() / CYCLE.as_nanos()).unwrap_or(usize::MAX)
}

/// Whole cycles in a time.
pub(crate) fn cycles(time: Duration) -> usize {
    cycle(time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MOST, clients, cycle};

    #[test]
    fn load_rises_stays_falls_and_is_silent() {
        for (second, expected) in [
            (0, 0),
            (1, 2),
            (15, MOST),
            (34, MOST),
            (40, MOST / 2),
            (45, 0),
            (79, 0),
            (81, 2),
        ] {
            assert_eq!(clients(Duration::from_secs(second)), expected, "{second} s");
        }
        assert_eq!(
            [79, 80].map(|second| cycle(Duration::from_secs(second))),
            [0, 1]
        );
    }
}
