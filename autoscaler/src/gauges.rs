//! Gauges per revision (contract/data-plane 5.1). They go when their revision goes.

use std::fmt;

use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, Opts, Registry};

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
        #[derive(Clone)]
        struct Families { $($field: GaugeVec,)* }

        struct Handles { $($field: Gauge,)* }

        impl Families {
            fn new() -> Result<Self, prometheus::Error> {
                Ok(Self { $($field: GaugeVec::new(Opts::new($name, $help), &LABELS)?,)* })
            }

            fn each(&self) -> Vec<GaugeVec> {
                vec![$(self.$field.clone(),)*]
            }

            fn handles(&self, labels: &[&str; 4]) -> Handles {
                Handles { $($field: self.$field.with_label_values(labels),)* }
            }
        }
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
    families: Families,
}

/// The gauges of one revision. Dropping it removes them. Those of load appear with the metric
/// that the revision is scaled by.
pub struct RevisionGauges {
    families: Families,
    labels: Labels,
    handles: Handles,
}

impl Gauges {
    /// Registers the gauges.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let families = Families::new()?;
        for family in families.each() {
            registry.register(Box::new(family))?;
        }
        Ok(Self { families })
    }

    /// The gauges of a revision.
    pub fn revision(&self, labels: Labels, metric: Metric) -> RevisionGauges {
        let handles = self.families.handles(&texts(&labels));
        let gauges = RevisionGauges {
            families: self.families.clone(),
            labels,
            handles,
        };
        gauges.remove(gauges.of_other_metric(metric));
        gauges
    }
}

impl RevisionGauges {
    /// Shows a decision and what it was made from.
    pub fn show(
        &self,
        rules: &Rules,
        pods: PodCounts,
        load: Option<Load>,
        decision: &Decision,
        wanted: Option<u32>,
    ) {
        let gauges = &self.handles;
        gauges.count.set(pods.ready.into());
        gauges.not_ready.set(pods.not_ready.into());
        gauges.pending.set(pods.pending.into());
        gauges.terminating.set(pods.terminating.into());
        gauges.excess.set(decision.excess_burst as f64);
        gauges.panic_mode.set(u32::from(decision.panicking).into());
        decision
            .by_load
            .iter()
            .for_each(|pods| gauges.desired.set((*pods).into()));
        wanted
            .iter()
            .for_each(|pods| gauges.requested.set((*pods).into()));
        let (stable, panic, target) = match rules.metric {
            Metric::Concurrency => (
                &gauges.concurrency_stable,
                &gauges.concurrency_panic,
                &gauges.concurrency_target,
            ),
            Metric::Rps => (&gauges.rps_stable, &gauges.rps_panic, &gauges.rps_target),
        };
        target.set(rules.spec.target.per_pod);
        if let Some(load) = load {
            stable.set(load.stable);
            panic.set(load.panic);
        }
    }

    fn of_other_metric(&self, metric: Metric) -> [&GaugeVec; 3] {
        let all = &self.families;
        match metric {
            Metric::Concurrency => [&all.rps_stable, &all.rps_panic, &all.rps_target],
            Metric::Rps => [
                &all.concurrency_stable,
                &all.concurrency_panic,
                &all.concurrency_target,
            ],
        }
    }

    fn remove<'a>(&self, families: impl IntoIterator<Item = &'a GaugeVec>) {
        for family in families {
            // Fails only for gauges that are gone already.
            let _ = family.remove_label_values(&texts(&self.labels));
        }
    }
}

impl Drop for RevisionGauges {
    fn drop(&mut self) {
        self.remove(&self.families.each());
    }
}

fn texts(labels: &Labels) -> [&str; 4] {
    labels.each_ref().map(String::as_str)
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauges")
            .field(&self.families.count.desc())
            .finish()
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
    use crate::target::Metric;
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
        let revision = gauges.revision(labels, Metric::Concurrency);
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
        drop(revision);
        assert!(names().is_empty());
    }
}
