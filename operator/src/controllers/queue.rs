//! How much work a control loop has, and how long it takes (contract/data-plane 5.1, `kn.workqueue.*`).
//!
//! A loop works on a few objects at a time. Who comes while all places are taken waits in its queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use runtime::metrics::{Count, Families, Histogram, Label, OldNames, SECONDS, Source, Times};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Objects of one kind that are worked on at the same time.
const PLACES: usize = 16;
/// Upper bounds of passes under their old name, in milliseconds.
const OLD_BOUNDS: &[f64] = &[10.0, 100.0, 1000.0, 10_000.0, 30_000.0, 60_000.0];

/// The queue of one control loop.
#[derive(Debug)]
pub(crate) struct Queue {
    /// As upstream calls its reconciler; dashboards ask for it.
    name: String,
    places: Semaphore,
    waiting: Count,
    adds: AtomicU64,
    retries: AtomicU64,
    waited: Histogram,
    worked: Histogram,
    /// The same for passes that went well and for others, under the old names.
    passes: [Times; 2],
    running: Mutex<BTreeMap<u64, Instant>>,
    old: OldNames,
}

/// The place of an object that is worked on, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    number: u64,
    since: Instant,
    went_well: bool,
    _permit: Option<SemaphorePermit<'a>>,
}

/// The queues of all loops.
#[derive(Debug)]
pub(crate) struct Queues(pub(crate) Vec<Arc<Queue>>);

// === impl Queue ===

impl Queue {
    pub(crate) fn new(name: String, old: OldNames) -> Self {
        Self {
            name,
            places: Semaphore::new(PLACES),
            waiting: Count::default(),
            adds: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            waited: Histogram::new(SECONDS),
            worked: Histogram::new(SECONDS),
            passes: [
                Times::with_old_bounds(OLD_BOUNDS),
                Times::with_old_bounds(OLD_BOUNDS),
            ],
            running: Mutex::default(),
            old,
        }
    }

    /// Waits for a place. Who gives up before leaves the queue.
    pub(crate) async fn enter(&self) -> Place<'_> {
        let number = self.adds.fetch_add(1, Ordering::Relaxed);
        let came = Instant::now();
        let permit = {
            let _waiting = Waiting::new(&self.waiting);
            // Fails only if somebody closed it, and nobody does.
            self.places.acquire().await.ok()
        };
        let since = Instant::now();
        self.waited.observe((since - came).as_secs_f64());
        self.running.lock().insert(number, since);
        Place {
            queue: self,
            number,
            since,
            went_well: true,
            _permit: permit,
        }
    }

    /// An object will be looked at again because it failed.
    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    fn show(&self, families: &mut Families, now: Instant) {
        let labels: [Label<'_>; 1] = [("name", &self.name)];
        let running: Vec<f64> = {
            let running = self.running.lock();
            let since = |start: &Instant| now.saturating_duration_since(*start).as_secs_f64();
            running.values().map(since).collect()
        };
        for (name, help, value) in [
            (
                "kn_workqueue_depth",
                "Objects that wait for a place",
                self.waiting.get(),
            ),
            (
                "kn_workqueue_unfinished_work_seconds",
                "Time that objects in work have taken by now, together",
                running.iter().fold(0.0, |sum, time| sum + time),
            ),
            (
                "kn_workqueue_longest_running_processor_seconds",
                "The longest of these times",
                running.iter().copied().fold(0.0, f64::max),
            ),
        ] {
            families.gauge(name, help, &labels, value);
        }
        for (name, help, value) in [
            (
                "kn_workqueue_adds_total",
                "Objects that came into the queue",
                &self.adds,
            ),
            (
                "kn_workqueue_retries_total",
                "Objects that will be looked at again because they failed",
                &self.retries,
            ),
        ] {
            families.counter(name, help, &labels, value.load(Ordering::Relaxed));
        }
        for (name, help, times) in [
            (
                "kn_workqueue_queue_duration_seconds",
                "Time that objects waited for a place",
                &self.waited,
            ),
            (
                "kn_workqueue_process_duration_seconds",
                "Time that a pass over an object took",
                &self.worked,
            ),
        ] {
            families.histogram(name, help, &labels, &times.read());
        }
        if self.old.shown() {
            self.show_old(families);
        }
    }

    fn show_old(&self, families: &mut Families) {
        let of: Label<'_> = ("reconciler", &self.name);
        let help = "Objects that wait for a place";
        families.gauge(
            "controller_work_queue_depth",
            help,
            &[of],
            self.waiting.get(),
        );
        for (success, times) in ["false", "true"].into_iter().zip(&self.passes) {
            let Some(times) = times.milliseconds() else {
                continue;
            };
            let labels = [of, ("success", success)];
            let help = "Passes over objects";
            families.counter("controller_reconcile_count", help, &labels, times.count());
            let help = "Time that a pass over an object took, in milliseconds";
            families.histogram("controller_reconcile_latency", help, &labels, &times);
        }
    }
}

// === impl Place ===

impl Place<'_> {
    /// The pass did not go well.
    pub(crate) fn failed(&mut self) {
        self.went_well = false;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        self.queue.running.lock().remove(&self.number);
        self.queue.worked.observe(took.as_secs_f64());
        let passes = &self.queue.passes[usize::from(self.went_well)];
        passes.observe(took, self.queue.old.shown());
    }
}

/// Somebody waits, until this is dropped.
struct Waiting<'a>(&'a Count);

impl<'a> Waiting<'a> {
    fn new(count: &'a Count) -> Self {
        count.inc();
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

// === impl Queues ===

impl Source for Queues {
    fn show(&self, families: &mut Families) {
        let now = Instant::now();
        for queue in &self.0 {
            queue.show(families, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt;
    use runtime::metrics::{Families, OldNames, Source};
    use tokio::time::advance;

    use super::{PLACES, Queue, Queues};

    fn page(queue: &Arc<Queue>) -> String {
        let mut families = Families::default();
        Queues(vec![Arc::clone(queue)]).show(&mut families);
        families.text()
    }

    #[track_caller]
    fn shows(queue: &Arc<Queue>, lines: &[&str]) {
        let text = page(queue);
        for line in lines {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_all_places_taken_waits_and_is_counted() {
        let queue = Arc::new(Queue::new("q".to_owned(), OldNames::default()));
        let mut places = Vec::new();
        for _ in 0..PLACES {
            places.push(queue.enter().await);
        }
        let mut next = Box::pin(queue.enter());
        assert!((&mut next).now_or_never().is_none());
        advance(Duration::from_secs(2)).await;
        shows(
            &queue,
            &[
                "kn_workqueue_depth{name=\"q\"} 1",
                "kn_workqueue_adds_total{name=\"q\"} 17",
                "kn_workqueue_unfinished_work_seconds{name=\"q\"} 32",
                "kn_workqueue_longest_running_processor_seconds{name=\"q\"} 2",
            ],
        );
        drop(places);
        drop(next.await);
        shows(
            &queue,
            &[
                "kn_workqueue_depth{name=\"q\"} 0",
                "kn_workqueue_unfinished_work_seconds{name=\"q\"} 0",
                "kn_workqueue_queue_duration_seconds_sum{name=\"q\"} 2",
                "kn_workqueue_process_duration_seconds_sum{name=\"q\"} 32",
            ],
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_queue() {
        let queue = Arc::new(Queue::new("q".to_owned(), OldNames::default()));
        let mut places = Vec::new();
        for _ in 0..PLACES {
            places.push(queue.enter().await);
        }
        let mut next = Box::pin(queue.enter());
        assert!((&mut next).now_or_never().is_none());
        drop(next);
        shows(&queue, &["kn_workqueue_depth{name=\"q\"} 0"]);
    }

    #[tokio::test(start_paused = true)]
    async fn old_names_tell_what_went_well() {
        let old = OldNames::new(true);
        let queue = Arc::new(Queue::new("q".to_owned(), old.clone()));
        drop(queue.enter().await);
        let mut place = queue.enter().await;
        place.failed();
        advance(Duration::from_millis(50)).await;
        drop(place);
        queue.retried();
        shows(
            &queue,
            &[
                "controller_reconcile_count{reconciler=\"q\",success=\"true\"} 1",
                "controller_reconcile_latency_bucket{reconciler=\"q\",success=\"false\",le=\"100\"} 1",
                "controller_work_queue_depth{reconciler=\"q\"} 0",
                "kn_workqueue_retries_total{name=\"q\"} 1",
            ],
        );
        old.set(false);
        assert!(!page(&queue).contains("controller_"));
    }
}
