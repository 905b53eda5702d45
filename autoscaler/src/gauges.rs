//! Gauges per revision (contract/data-plane 5.1). They go when their revision goes.
//!
//! A row of numbers for each revision, which becomes metrics when somebody asks: gauges that always
//! exist would cost each revision 17 KiB, a row costs half of one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric as Series, MetricFamily, MetricType};

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

/// Whose gauges: the values of the labels, in their order; empty where there is none.
pub type Labels = [String; 4];

macro_rules! gauges {
    ($($field:ident $name:literal $help:literal,)*) => {
        /// The numbers of one revision; nothing where a gauge does not apply.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        struct Row { $($field: Option<f64>,)* }

        /// A gauge: its name, what it means, and where it stands in a row.
        type Column = (&'static str, &'static str, fn(&Row) -> Option<f64>);

        const COLUMNS: &[Column] = &[$(($name, $help, |row| row.$field),)*];
    };
}

gauges! {
    desired "kn_revision_pods_desired" "Pods that the load asks for",
    requested "kn_revision_pods_requested" "Pods that were asked of Kubernetes",
    count "kn_revision_pods_count" "Pods that are ready",
    not_ready "kn_revision_pods_not_ready_count" "Pods that run but are not ready",
    pending "kn_revision_pods_pending_count" "Pods that do not run yet",
    terminating "kn_revision_pods_terminating_count" "Pods that are about to go",
    excess "kn_revision_capacity_excess" "Load that would still find room beyond the burst",
    panic_mode "kn_revision_panic_mode" "1 while the revision is in panic",
    concurrency_stable "kn_revision_concurrency_stable" "Requests in flight over the stable window",
    concurrency_panic "kn_revision_concurrency_panic" "Requests in flight over the panic window",
    concurrency_target "kn_revision_concurrency_target" "Requests in flight that a pod should have",
    rps_stable "kn_revision_rps_stable" "Requests per second over the stable window",
    rps_panic "kn_revision_rps_panic" "Requests per second over the panic window",
    rps_target "kn_revision_rps_target" "Requests per second that a pod should get",
}

/// All gauges. Clones share them.
#[derive(Clone)]
pub struct Gauges {
    rows: Rows,
    descriptions: Arc<[Desc]>,
}

/// The rows that are shown, and a number that tells rows of the same labels apart: a revision may be
/// made anew before the old one's row has gone.
type Rows = Arc<Mutex<BTreeMap<Arc<Labels>, (u64, Row)>>>;

/// The gauges of one revision. Dropping it removes them. Those of load are those of the metric that
/// the revision is scaled by.
pub struct RevisionGauges {
    rows: Rows,
    labels: Arc<Labels>,
    number: u64,
}

// === impl Gauges ===

impl Gauges {
    /// Registers the gauges.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let described = COLUMNS.iter().map(|(name, help, _)| {
            let labels = LABELS.map(str::to_owned).to_vec();
            Desc::new(
                (*name).to_owned(),
                (*help).to_owned(),
                labels,
                Default::default(),
            )
        });
        let gauges = Self {
            rows: Rows::default(),
            descriptions: described.collect::<Result<_, _>>()?,
        };
        registry.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    /// The gauges of a revision; they appear when something is shown.
    pub fn revision(&self, labels: Labels) -> RevisionGauges {
        RevisionGauges {
            rows: Arc::clone(&self.rows),
            labels: Arc::new(labels),
            number: rand::random(),
        }
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let rows = self.rows.lock();
        let families = COLUMNS.iter().map(|(name, help, value)| {
            let series = rows.iter().filter_map(|(labels, (_, row))| {
                let value = value(row)?;
                Some(series(labels, value))
            });
            let mut family = MetricFamily::default();
            family.set_name((*name).to_owned());
            family.set_help((*help).to_owned());
            family.set_field_type(MetricType::GAUGE);
            family.set_metric(series.collect());
            family
        });
        families.collect()
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
        let mut rows = self.rows.lock();
        let before = rows
            .get(&self.labels)
            .filter(|(number, _)| *number == self.number);
        let before = before.map(|(_, row)| *row).unwrap_or_default();
        let row = before.after(rules, pods, load, decision, wanted);
        rows.insert(Arc::clone(&self.labels), (self.number, row));
    }
}

impl Drop for RevisionGauges {
    fn drop(&mut self) {
        let mut rows = self.rows.lock();
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

fn series(labels: &Labels, value: f64) -> Series {
    // In the order of the names, as the text is written.
    let mut pairs: Vec<LabelPair> = LABELS
        .iter()
        .zip(labels)
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.clone());
            pair
        })
        .collect();
    pairs.sort_by(|one, other| one.name().cmp(other.name()));
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut series = Series::default();
    series.set_label(pairs);
    series.set_gauge(gauge);
    series
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
mod tests {
    use super::Gauges;
    use crate::decide::{Decision, Load, Rule};
    use crate::pods::PodCounts;
    use crate::rules::Rules;
    use crds::autoscaling::PodAutoscaler;
    use crds::config::Settings;
    use prometheus::Registry;

    #[test]
    fn a_revision_shows_its_own_metric_and_leaves_nothing_behind() {
        let registry = Registry::new();
        let gauges = Gauges::new(&registry).unwrap();
        let names = || {
            let families = registry.gather();
            families
                .iter()
                .map(|family| family.name().to_owned())
                .collect::<Vec<_>>()
        };
        let labels = ["hello", "hello", "hello-00001", "ns"].map(str::to_owned);
        let revision = gauges.revision(labels.clone());
        let rules = Rules::read(&PodAutoscaler::default(), &Settings::default());
        let decision = Decision {
            wanted: Some(2),
            by_load: Some(3),
            excess_burst: -8,
            panicking: true,
            rule: Rule::MaxScale,
        };
        let load = Some(Load {
            stable: 150.0,
            panic: 160.0,
        });
        revision.show(&rules, PodCounts::default(), load, &decision, Some(2));
        assert_eq!(names().len(), 11);
        assert!(
            !names()
                .iter()
                .any(|name| name.starts_with("kn_revision_rps"))
        );
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        let of = "{k8s_namespace_name=\"ns\",kn_configuration_name=\"hello\",kn_revision_name=\"hello-00001\",kn_service_name=\"hello\"}";
        for line in [
            format!("kn_revision_pods_desired{of} 3"),
            format!("kn_revision_pods_requested{of} 2"),
            format!("kn_revision_capacity_excess{of} -8"),
            format!("kn_revision_panic_mode{of} 1"),
            format!("kn_revision_concurrency_panic{of} 160"),
            format!("kn_revision_concurrency_target{of} 70"),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        let anew = gauges.revision(labels);
        anew.show(&rules, PodCounts::default(), None, &decision, None);
        drop(revision);
        assert_eq!(
            names().len(),
            11,
            "those of the revision that was made anew"
        );
        drop(anew);
        assert!(names().is_empty());
    }
}
