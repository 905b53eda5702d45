//! Statistics for the autoscaler: what was here in the last second (contract/data-plane 3.3).

use std::{sync::Arc, time::Duration};

use net::{
    load::{Load, Origin, Report},
    stat::Stat,
};
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// One report per period; who asks in between gets the last one.
const PERIOD: Duration = Duration::from_secs(1);

/// Counts requests. Clones share it.
#[derive(Clone, Debug)]
pub struct Reporter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pod: String,
    start: Instant,
    load: Mutex<Load>,
    last: Mutex<Report>,
}

/// A request that is counted until this is dropped.
#[derive(Debug)]
pub struct Counted {
    shared: Arc<Shared>,
    origin: Origin,
}

// === impl Reporter ===

impl Reporter {
    /// Nothing is here.
    pub fn new(pod: String) -> Self {
        let start = Instant::now();
        Self {
            shared: Arc::new(Shared {
                pod,
                start,
                load: Mutex::new(Load::new(start)),
                last: Mutex::default(),
            }),
        }
    }

    /// Counts a request, those in the line included: they are what more pods are needed for.
    pub fn enter(&self, origin: Origin, now: Instant) -> Counted {
        self.shared.load.lock().enter(origin, now);
        Counted {
            shared: Arc::clone(&self.shared),
            origin,
        }
    }

    /// Closes a report every second. Never returns.
    pub async fn run(&self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            let now = ticks.tick().await;
            let report = self.shared.load.lock().report(now);
            *self.shared.last.lock() = report;
        }
    }

    /// The last report.
    pub fn stat(&self) -> Stat {
        let report = *self.shared.last.lock();
        Stat {
            pod_name: self.shared.pod.clone(),
            average_concurrent_requests: report.concurrency,
            average_proxied_concurrent_requests: report.proxied_concurrency,
            request_count: report.count,
            proxied_request_count: report.proxied_count,
            process_uptime: self.shared.start.elapsed().as_secs_f64(),
            timestamp: 0,
        }
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared.load.lock().leave(self.origin, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use net::load::Origin;
    use tokio::time::{Instant, sleep};

    use super::Reporter;

    #[tokio::test(start_paused = true)]
    async fn last_second_is_told_until_the_next_is_over() {
        let reporter = Reporter::new("p".to_owned());
        let ticking = reporter.clone();
        tokio::spawn(async move { ticking.run().await });
        let _direct = reporter.enter(Origin::Direct, Instant::now());
        drop(reporter.enter(Origin::Proxied, Instant::now()));
        assert_eq!(reporter.stat().request_count, 0.0);
        sleep(Duration::from_millis(1_100)).await;
        let stat = reporter.stat();
        assert_eq!((stat.request_count, stat.proxied_request_count), (2.0, 1.0));
        assert!((stat.average_concurrent_requests - 1.0).abs() < 0.01);
        assert!(stat.average_proxied_concurrent_requests < 0.01);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(reporter.stat().request_count, 0.0);
    }
}
