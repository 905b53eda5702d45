use std::sync::OnceLock;
use std::time::Duration;

use super::histogram::{Histogram, Reading};
use super::{MILLISECONDS, SECONDS};

/// How long something took: in seconds, and while old names are shown in milliseconds, too.
#[derive(Debug)]
pub struct Times {
    seconds: Histogram,
    milliseconds: OnceLock<Histogram>,
    old_bounds: &'static [f64],
}

// === impl Times ===

impl Times {
    /// With other bounds for the milliseconds than [`MILLISECONDS`].
    pub fn with_old_bounds(old_bounds: &'static [f64]) -> Self {
        Self {
            seconds: Histogram::new(SECONDS),
            milliseconds: OnceLock::new(),
            old_bounds,
        }
    }

    /// Counts a time, in milliseconds only if old names are shown.
    pub fn observe(&self, took: Duration, old_shown: bool) {
        self.seconds.observe(took.as_secs_f64());
        if old_shown {
            let new = || Histogram::new(self.old_bounds);
            let milliseconds = self.milliseconds.get_or_init(new);
            milliseconds.observe(took.as_secs_f64() * 1000.0);
        }
    }

    /// The seconds by now.
    pub fn seconds(&self) -> Reading {
        self.seconds.read()
    }

    /// The milliseconds by now; nothing if old names never were shown.
    pub fn milliseconds(&self) -> Option<Reading> {
        self.milliseconds.get().map(Histogram::read)
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::with_old_bounds(MILLISECONDS)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Times;

    #[test]
    fn milliseconds_are_counted_while_old_names_are_shown() {
        let times = Times::default();
        let took = Duration::from_millis(30);
        times.observe(took, false);
        assert!(times.milliseconds().is_none());
        times.observe(took, true);
        assert_eq!(times.milliseconds().unwrap().count(), 1);
        assert_eq!(times.seconds().count(), 2);
    }
}
