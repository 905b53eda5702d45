//! Gauges per revision (contract/data-plane 5). They go when their revision goes.
//!
//! A row of numbers for each revision, which becomes metrics when somebody asks: gauges that always
//! exist would cost each revision 17 KiB, a row costs half of one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::Registry;
use runtime::metrics::{Families, Label, OldNames, Rendered, Source, Times};

use crate::decide::{Decision, Load};
use crate::pods::PodCounts;
use crate::rules::Rules;
use crate::target::Metric;

const LABELS: [&str; 4] = [
    "kn_service_name",
    "kn_configuration_name",
    "kn_revision_name",
    "k8s_namespace_name",
];
/// The same under their old names.
const OLD_LABELS: [&str; 4] = [
    "service_name",
    "configuration_name",
    "revision_name",
    "namespace_name",
];
/// Place of the label that would make too many series of a histogram.
const REVISION: usize = 2;
/// Under which the rows are registered.
const ROWS: &str = "fermata_autoscaler_revisions";

/// Whose gauges: the values of the labels, in their order; empty where there is none.
pub type Labels = [String; 4];

macro_rules! gauges {
    ($($field:ident $name:literal $old:literal $help:literal,)*) => {
        /// The numbers of one revision; nothing where a gauge does not apply.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        struct Row { $($field: Option<f64>,)* }

        /// A gauge: its name, the old one, what it means, and where it stands in a row.
        type Column = (&'static str, &'static str, &'static str, fn(&Row) -> Option<f64>);

        const COLUMNS: &[Column] = &[$(($name, $old, $help, |row| row.$field),)*];
    };
}

gauges! {
    desired "kn_revision_pods_desired" "autoscaler_desired_pods" "Pods that the load asks for",
    requested "kn_revision_pods_requested" "autoscaler_requested_pods" "Pods that were asked of Kubernetes",
    count "kn_revision_pods_count" "autoscaler_actual_pods" "Pods that are ready",
    not_ready "kn_revision_pods_not_ready_count" "autoscaler_not_ready_pods" "Pods that run but are not ready",
    pending "kn_revision_pods_pending_count" "autoscaler_pending_pods" "Pods that do not run yet",
    terminating "kn_revision_pods_terminating_count" "autoscaler_terminating_pods" "Pods that are about to go",
    excess "kn_revision_capacity_excess" "autoscaler_excess_burst_capacity" "Load that would still find room beyond the burst",
    panic_mode "kn_revision_panic_mode" "autoscaler_panic_mode" "1 while the revision is in panic",
    concurrency_stable "kn_revision_concurrency_stable" "autoscaler_stable_request_concurrency" "Requests in flight over the stable window",
    concurrency_panic "kn_revision_concurrency_panic" "autoscaler_panic_request_concurrency" "Requests in flight over the panic window",
    concurrency_target "kn_revision_concurrency_target" "autoscaler_target_concurrency_per_pod" "Requests in flight that a pod should have",
    rps_stable "kn_revision_rps_stable" "autoscaler_stable_requests_per_second" "Requests per second over the stable window",
    rps_panic "kn_revision_rps_panic" "autoscaler_panic_requests_per_second" "Requests per second over the panic window",
    rps_target "kn_revision_rps_target" "autoscaler_target_requests_per_second" "Requests per second that a pod should get",
}

/// All gauges. Clones share them.
#[derive(Clone)]
pub struct Gauges(Arc<Shared>);

struct Shared {
    rows: Mutex<Rows>,
    scrapes: Mutex<Scrapes>,
    old: OldNames,
}

/// The rows that are shown, and a number that tells rows of the same labels apart: a revision may be
/// made anew before the old one's row has gone.
type Rows = BTreeMap<Arc<Labels>, (u64, Row)>;

/// How long it took to ask the pods, for all revisions of a configuration together: the label of the
/// revision is empty.
type Scrapes = BTreeMap<Labels, Arc<Times>>;

/// The gauges of one revision. Dropping it removes them. Those of load are those of the metric that
/// the revision is scaled by.
pub struct RevisionGauges {
    shared: Arc<Shared>,
    labels: Arc<Labels>,
    number: u64,
    scrapes: Arc<Times>,
}

// === impl Gauges ===

impl Gauges {
    /// Registers the gauges.
    ///
    /// # Errors
    /// When they are in `registry` already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let shared = Arc::new(Shared {
            rows: Mutex::default(),
            scrapes: Mutex::default(),
            old: OldNames::default(),
        });
        Rendered::register(registry, ROWS, Arc::clone(&shared))?;
        Ok(Self(shared))
    }

    /// Whether they have their old names, too.
    pub fn old_names(&self) -> OldNames {
        self.0.old.clone()
    }

    /// The gauges of a revision; they appear when something is shown.
    pub fn revision(&self, labels: Labels) -> RevisionGauges {
        let mut configuration = labels.clone();
        configuration[REVISION].clear();
        let mut scrapes = self.0.scrapes.lock();
        RevisionGauges {
            shared: Arc::clone(&self.0),
            scrapes: Arc::clone(scrapes.entry(configuration).or_default()),
            labels: Arc::new(labels),
            number: rand::random(),
        }
    }
}

// === impl Shared ===

impl Source for Shared {
    fn show(&self, families: &mut Families) {
        for (labels, (_, row)) in &*self.rows.lock() {
            let current = pairs(LABELS, labels);
            let old = self.old.shown().then(|| pairs(OLD_LABELS, labels));
            for (name, old_name, help, value) in COLUMNS {
                let Some(value) = value(row) else { continue };
                families.gauge(name, help, &current, value);
                if let Some(old) = &old {
                    families.gauge(old_name, help, old, value);
                }
            }
        }
        let mut scrapes = self.scrapes.lock();
        // A configuration without revisions is gone.
        scrapes.retain(|_, times| Arc::strong_count(times) > 1);
        for (labels, times) in &*scrapes {
            self.show_scrapes(families, labels, times);
        }
    }
}

impl Shared {
    fn show_scrapes(&self, families: &mut Families, labels: &Labels, times: &Times) {
        const HELP: &str = "Time to ask a sample of the pods for their load";
        let seconds = times.seconds();
        if seconds.count() > 0 {
            let name = "kn_autoscaler_scrape_duration_seconds";
            families.histogram(name, HELP, &without_revision(LABELS, labels), &seconds);
        }
        if let Some(old) = times.milliseconds().filter(|_| self.old.shown()) {
            let labels = without_revision(OLD_LABELS, labels);
            families.histogram("autoscaler_scrape_time", HELP, &labels, &old);
        }
    }
}

// === impl RevisionGauges ===

impl RevisionGauges {
    /// Shows a decision and what it was made from. What is not known stays as it was.
    pub fn show(
        &self,
        rules: &Rules,
        pods: PodCounts,
        load: Option<Load>,
        decision: &Decision,
        wanted: Option<u32>,
    ) {
        let mut rows = self.shared.rows.lock();
        let before = rows
            .get(&self.labels)
            .filter(|(number, _)| *number == self.number);
        let before = before.map(|(_, row)| *row).unwrap_or_default();
        let row = before.after(rules, pods, load, decision, wanted);
        rows.insert(Arc::clone(&self.labels), (self.number, row));
    }

    /// Counts a round in which pods told their load.
    pub fn scraped(&self, took: Duration) {
        self.scrapes.observe(took, self.shared.old.shown());
    }
}

impl Drop for RevisionGauges {
    fn drop(&mut self) {
        let mut rows = self.shared.rows.lock();
        if rows
            .get(&self.labels)
            .is_some_and(|(number, _)| *number == self.number)
        {
            rows.remove(&self.labels);
        }
    }
}

// === impl Row ===

impl Row {
    fn after(
        self,
        rules: &Rules,
        pods: PodCounts,
        load: Option<Load>,
        decision: &Decision,
        wanted: Option<u32>,
    ) -> Self {
        let number = |pods: u32| Some(f64::from(pods));
        let known =
            |now: Option<u32>, before: Option<f64>| now.map(f64::from).or(before).or(Some(0.0));
        let common = Self {
            desired: known(decision.by_load, self.desired),
            requested: known(wanted, self.requested),
            count: number(pods.ready),
            not_ready: number(pods.not_ready),
            pending: number(pods.pending),
            terminating: number(pods.terminating),
            excess: Some(decision.excess_burst as f64),
            panic_mode: number(u32::from(decision.panicking)),
            ..Self::default()
        };
        let over =
            |pick: fn(Load) -> f64, before: Option<f64>| load.map(pick).or(before).or(Some(0.0));
        let target = Some(rules.spec.target.per_pod);
        match rules.metric {
            Metric::Concurrency => Self {
                concurrency_stable: over(|load| load.stable, self.concurrency_stable),
                concurrency_panic: over(|load| load.panic, self.concurrency_panic),
                concurrency_target: target,
                ..common
            },
            Metric::Rps => Self {
                rps_stable: over(|load| load.stable, self.rps_stable),
                rps_panic: over(|load| load.panic, self.rps_panic),
                rps_target: target,
                ..common
            },
        }
    }
}

/// Labels with their values.
fn pairs<'a>(names: [&'static str; 4], values: &'a Labels) -> Vec<Label<'a>> {
    let values = values.iter().map(String::as_str);
    names.into_iter().zip(values).collect()
}

fn without_revision<'a>(names: [&'static str; 4], values: &'a Labels) -> Vec<Label<'a>> {
    let mut pairs = pairs(names, values);
    pairs.remove(REVISION);
    pairs
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}

impl fmt::Debug for RevisionGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RevisionGauges").field(&self.labels).finish()
    }
}

#[cfg(test)]
mod tests;
