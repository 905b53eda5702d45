//! The rules of one revision, from its PodAutoscaler and the cluster's settings
//! (contract/data-plane 1.1 to 1.3). Unreadable annotations count as absent: the webhook refuses
//! them, and what passed it long ago must not stop us now.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::annotation::Autoscaling;
use crds::autoscaling::{PodAutoscaler, Reachability};
use crds::config::{AutoscalerConfig, Settings};
use crds::duration::Nanos;
use crds::name::serving;

use crate::decide::{Bounds, Burst, Spec};
use crate::gate::ZeroRules;
use crate::target::{Metric, Wishes};
use crate::window::Algorithm;

/// Utilisation to aim at for requests per second; config-autoscaler has no key for it.
const RPS_UTILIZATION: f64 = 0.7;

/// Limits of the stable window, also for annotations that the webhook has never seen: a window
/// costs memory for each of its seconds.
const SHORTEST_WINDOW: Duration = Duration::from_secs(6);
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);
/// Longest scale-down-delay, for the same reason.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// The rules of one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// What decisions follow.
    pub spec: Spec,
    /// What scaling to zero follows.
    pub zero: ZeroRules,
    /// What is measured.
    pub metric: Metric,
    /// How it is averaged.
    pub algorithm: Algorithm,
    /// Window for sudden load.
    pub panic_window: Duration,
    /// Requests that one activator holds.
    pub activator_capacity: f64,
}

/// Who cares for a PodAutoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// [`crate::kpa`].
    Kpa,
    /// [`crate::hpa`].
    Hpa,
    /// Somebody else's autoscaler.
    Other,
}

impl Rules {
    /// Reads the rules of `autoscaler`.
    pub fn read(autoscaler: &PodAutoscaler, settings: &Settings) -> Self {
        let nothing = BTreeMap::new();
        let annotations = autoscaler.metadata.annotations.as_ref().unwrap_or(&nothing);
        let wishes = Autoscaling::read(annotations);
        let cluster = &settings.autoscaler;
        let spec = spec(autoscaler, &wishes, cluster);
        let percentage = wishes
            .panic_window_percentage
            .unwrap_or(cluster.panic_window_percentage);
        let retention = wishes
            .scale_to_zero_pod_retention_period
            .unwrap_or(cluster.scale_to_zero_pod_retention_period);
        let deadline = annotations
            .get(serving::PROGRESS_DEADLINE)
            .and_then(|text| duration(text));
        Self {
            zero: ZeroRules {
                enabled: cluster.enable_scale_to_zero,
                stable_window: spec.stable_window,
                grace: cluster.scale_to_zero_grace_period,
                retention: if spec.reachable {
                    retention
                } else {
                    Duration::ZERO
                },
                progress_deadline: deadline.unwrap_or(settings.deployment.progress_deadline),
                always_buffered: spec.burst == Burst::Unlimited,
            },
            metric: metric(&wishes),
            algorithm: match wishes.metric_aggregation_algorithm.as_deref() {
                Some("weighted-exponential") => Algorithm::WeightedExponential,
                _ => Algorithm::Linear,
            },
            panic_window: panic_window(spec.stable_window, percentage),
            activator_capacity: cluster.activator_capacity.max(1.0),
            spec,
        }
    }

    /// Who cares for `autoscaler`; a class that nobody named is the cluster's.
    pub fn class(autoscaler: &PodAutoscaler, settings: &Settings) -> Class {
        let annotations = autoscaler.metadata.annotations.as_ref();
        let named = annotations.and_then(|all| all.get(crds::name::autoscaling::CLASS));
        let class = named.unwrap_or(&settings.autoscaler.pod_autoscaler_class);
        match class.as_str() {
            crds::name::autoscaling::KPA => Class::Kpa,
            crds::name::autoscaling::HPA => Class::Hpa,
            _ => Class::Other,
        }
    }
}

fn spec(autoscaler: &PodAutoscaler, wishes: &Autoscaling, cluster: &AutoscalerConfig) -> Spec {
    let max = count(wishes.max_scale.unwrap_or(cluster.max_scale));
    let threshold = wishes
        .panic_threshold_percentage
        .unwrap_or(cluster.panic_threshold_percentage);
    let concurrency = autoscaler.spec.container_concurrency.unwrap_or_default();
    Spec {
        target: targets(concurrency, wishes, cluster).resolve(),
        burst: match wishes
            .target_burst_capacity
            .unwrap_or(cluster.target_burst_capacity)
        {
            0.0 => Burst::None,
            unlimited if unlimited < 0.0 => Burst::Unlimited,
            capacity => Burst::Capacity(capacity),
        },
        stable_window: wishes
            .window
            .unwrap_or(cluster.stable_window)
            .clamp(SHORTEST_WINDOW, LONGEST_WINDOW),
        panic_threshold: threshold / 100.0,
        max_scale_up_rate: cluster.max_scale_up_rate,
        max_scale_down_rate: cluster.max_scale_down_rate,
        activation_scale: count(wishes.activation_scale.unwrap_or_default()),
        scale_down_delay: wishes
            .scale_down_delay
            .unwrap_or(cluster.scale_down_delay)
            .min(LONGEST_DELAY),
        reachable: autoscaler.spec.reachability != Reachability::Unreachable,
        bounds: Bounds {
            min: count(wishes.min_scale.unwrap_or(cluster.min_scale)),
            max: (max > 0).then_some(max),
            initial: count(wishes.initial_scale.unwrap_or(cluster.initial_scale)),
        },
    }
}

fn targets(concurrency: i64, wishes: &Autoscaling, cluster: &AutoscalerConfig) -> Wishes {
    let metric = metric(wishes);
    let (default_total, utilization) = match metric {
        Metric::Concurrency => (
            cluster.container_concurrency_target_default,
            cluster.container_concurrency_target_percentage / 100.0,
        ),
        Metric::Rps => (cluster.requests_per_second_target_default, RPS_UTILIZATION),
    };
    Wishes {
        metric,
        container_concurrency: concurrency as f64,
        default_total,
        total: wishes.target.filter(|total| *total > 0.0),
        utilization: wishes
            .target_utilization_percentage
            .map_or(utilization, |p| p / 100.0),
    }
}

fn metric(wishes: &Autoscaling) -> Metric {
    match wishes.metric.as_deref() {
        Some("rps") => Metric::Rps,
        _ => Metric::Concurrency,
    }
}

fn panic_window(stable: Duration, percentage: f64) -> Duration {
    let seconds = (stable.as_secs_f64() * percentage / 100.0).round();
    Duration::from_secs((seconds as u64).clamp(1, stable.as_secs()))
}

fn count(scale: i32) -> u32 {
    u32::try_from(scale).unwrap_or(0)
}

fn duration(text: &str) -> Option<Duration> {
    text.parse::<Nanos>().ok()?.to_std()
}

#[cfg(test)]
mod tests;
