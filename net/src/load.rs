//! How many requests are here, averaged over time (contract/data-plane 2.6 and 3.3). Clocks are
//! arguments.

use tokio::time::Instant;

/// Who counts a request beside us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Direct,
    /// An activator, which reports it too.
    Proxied,
}

/// Requests since the last report.
#[derive(Debug)]
pub struct Load {
    all: Line,
    proxied: Line,
    reported: Instant,
}

/// What a report says; the proxied part is contained in the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Requests that were here, on average.
    pub concurrency: f64,
    /// Of these, proxied.
    pub proxied_concurrency: f64,
    /// Requests that came.
    pub count: f64,
    /// Of these, proxied.
    pub proxied_count: f64,
}

#[derive(Debug)]
struct Line {
    in_flight: u32,
    /// Request-seconds since the last report, up to `changed`.
    area: f64,
    came: u32,
    changed: Instant,
}

// === impl Load ===

impl Load {
    /// Nothing is here.
    pub fn new(now: Instant) -> Self {
        Self {
            all: Line::new(now),
            proxied: Line::new(now),
            reported: now,
        }
    }

    /// A request came.
    pub fn enter(&mut self, origin: Origin, now: Instant) {
        self.all.enter(now);
        if origin == Origin::Proxied {
            self.proxied.enter(now);
        }
    }

    /// A request is done.
    pub fn leave(&mut self, origin: Origin, now: Instant) {
        self.all.leave(now);
        if origin == Origin::Proxied {
            self.proxied.leave(now);
        }
    }

    /// Requests that are here.
    pub fn in_flight(&self) -> u32 {
        self.all.in_flight
    }

    /// The time since the last report.
    pub fn report(&mut self, now: Instant) -> Report {
        let seconds = now.saturating_duration_since(self.reported).as_secs_f64();
        self.reported = now;
        let (concurrency, count) = self.all.report(now, seconds);
        let (proxied_concurrency, proxied_count) = self.proxied.report(now, seconds);
        Report {
            concurrency,
            proxied_concurrency,
            count,
            proxied_count,
        }
    }
}

// === impl Line ===

impl Line {
    fn new(now: Instant) -> Self {
        Self {
            in_flight: 0,
            area: 0.0,
            came: 0,
            changed: now,
        }
    }

    fn enter(&mut self, now: Instant) {
        self.pass(now);
        self.in_flight += 1;
        self.came += 1;
    }

    fn leave(&mut self, now: Instant) {
        self.pass(now);
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn pass(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.changed).as_secs_f64();
        self.area += f64::from(self.in_flight) * seconds;
        self.changed = self.changed.max(now);
    }

    fn report(&mut self, now: Instant, seconds: f64) -> (f64, f64) {
        self.pass(now);
        let area = std::mem::take(&mut self.area);
        let average = if seconds > 0.0 {
            area / seconds
        } else {
            f64::from(self.in_flight)
        };
        (average, f64::from(std::mem::take(&mut self.came)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{prop, prop_assert, proptest};
    use tokio::time::Instant;

    use super::{Load, Origin, Report};

    #[test]
    fn average_weighs_by_time_and_tells_the_proxied_part() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut load = Load::new(start);
        load.enter(Origin::Direct, at(0));
        load.enter(Origin::Proxied, at(500));
        load.leave(Origin::Direct, at(750));
        let expect = Report {
            concurrency: 1.25,
            proxied_concurrency: 0.5,
            count: 2.0,
            proxied_count: 1.0,
        };
        assert_eq!(load.report(at(1_000)), expect);
        let rest = load.report(at(2_000));
        assert_eq!((rest.concurrency, rest.count), (1.0, 0.0));
        assert_eq!(load.in_flight(), 1);
    }

    proptest! {
        #[test]
        fn request_seconds_are_neither_lost_nor_invented(
            requests in prop::collection::vec((0_u64..5_000, 1_u64..5_000), 0..40),
            period in 100_u64..3_000,
        ) {
            let start = Instant::now();
            let at = |millis| start + Duration::from_millis(millis);
            let mut events: Vec<(u64, i8)> = Vec::new();
            for (from, took) in &requests {
                events.push((*from, 1));
                events.push((from + took, -1));
            }
            events.extend((1..=10_000 / period + 1).map(|n| (n * period, 0)));
            events.sort_unstable_by_key(|(time, kind)| (*time, -kind));
            let (mut load, mut sum, mut last) = (Load::new(start), 0.0, 0);
            for (time, kind) in events {
                match kind {
                    1 => load.enter(Origin::Direct, at(time)),
                    -1 => load.leave(Origin::Direct, at(time)),
                    _ => {
                        let seconds = Duration::from_millis(time - last).as_secs_f64();
                        sum += load.report(at(time)).concurrency * seconds;
                        last = time;
                    }
                }
            }
            let took: u64 = requests.iter().map(|(_, took)| took).sum();
            let expect = Duration::from_millis(took).as_secs_f64();
            prop_assert!((sum - expect).abs() < 1e-6, "{} is not {}", sum, expect);
        }
    }
}
