use std::time::Duration;

use crds::autoscaling::{PodAutoscaler, PodAutoscalerSpec, Reachability};
use crds::config::Settings;

use super::{Class, Rules};
use crate::decide::{Bounds, Burst};
use crate::target::{Metric, Target};
use crate::window::Algorithm;

fn autoscaler(annotations: &[(&str, &str)]) -> PodAutoscaler {
    let mut autoscaler = PodAutoscaler::new("hello-00001", PodAutoscalerSpec::default());
    let annotations = annotations.iter().map(|(key, value)| {
        let key = if key.contains('/') {
            (*key).to_owned()
        } else {
            format!("autoscaling.knative.dev/{key}")
        };
        (key, (*value).to_owned())
    });
    autoscaler.metadata.annotations = Some(annotations.collect());
    autoscaler
}

fn rules(annotations: &[(&str, &str)]) -> Rules {
    Rules::read(&autoscaler(annotations), &Settings::default())
}

#[test]
fn without_annotations_the_cluster_rules() {
    let rules = rules(&[]);
    assert_eq!(
        rules.spec.target,
        Target {
            total: 100.0,
            per_pod: 70.0
        }
    );
    assert_eq!(rules.spec.burst, Burst::Capacity(211.0));
    assert_eq!(rules.spec.stable_window, Duration::from_secs(60));
    assert_eq!(rules.panic_window, Duration::from_secs(6));
    assert!((rules.spec.panic_threshold - 2.0).abs() < 1e-9);
    assert_eq!(
        rules.spec.bounds,
        Bounds {
            min: 0,
            max: None,
            initial: 1
        }
    );
    assert_eq!(rules.zero.progress_deadline, Duration::from_secs(600));
    assert!(rules.zero.enabled && !rules.zero.always_buffered && rules.spec.reachable);
    assert_eq!(
        (rules.metric, rules.algorithm),
        (Metric::Concurrency, Algorithm::Linear)
    );
}

#[test]
fn annotations_overrule_the_cluster() {
    let rules = rules(&[
        ("metric", "rps"),
        ("target", "50"),
        ("targetUtilizationPercentage", "80"),
        ("target-burst-capacity", "-1"),
        ("window", "30s"),
        ("panic-window-percentage", "20"),
        ("panic-threshold-percentage", "150"),
        ("min-scale", "2"),
        ("maxScale", "9"),
        ("initial-scale", "3"),
        ("activation-scale", "5"),
        ("scale-down-delay", "15m"),
        ("scale-to-zero-pod-retention-period", "42s"),
        ("metric-aggregation-algorithm", "weightedExponential"),
        ("serving.knative.dev/progress-deadline", "120s"),
    ]);
    assert_eq!(
        rules.spec.target,
        Target {
            total: 50.0,
            per_pod: 40.0
        }
    );
    assert_eq!(rules.spec.burst, Burst::Unlimited);
    assert!(rules.zero.always_buffered);
    assert_eq!(rules.panic_window, Duration::from_secs(6));
    assert!((rules.spec.panic_threshold - 1.5).abs() < 1e-9);
    assert_eq!(
        rules.spec.bounds,
        Bounds {
            min: 2,
            max: Some(9),
            initial: 3
        }
    );
    assert_eq!(rules.spec.activation_scale, 5);
    assert_eq!(rules.spec.scale_down_delay, Duration::from_secs(900));
    assert_eq!(rules.zero.retention, Duration::from_secs(42));
    assert_eq!(rules.zero.progress_deadline, Duration::from_secs(120));
    assert_eq!(
        (rules.metric, rules.algorithm),
        (Metric::Rps, Algorithm::WeightedExponential)
    );
}

#[test]
fn short_windows_have_a_panic_window_of_at_least_a_second() {
    for (window, percentage, seconds) in [("6s", "10", 1), ("6s", "1", 1), ("25s", "10", 3)] {
        let rules = rules(&[("window", window), ("panic-window-percentage", percentage)]);
        assert_eq!(
            rules.panic_window,
            Duration::from_secs(seconds),
            "{percentage} % of {window}"
        );
    }
}

#[test]
fn no_annotation_makes_a_window_without_limits() {
    let limit = Duration::from_secs(3600);
    let huge = rules(&[
        ("window", "100000h"),
        ("panic-window-percentage", "900"),
        ("scale-down-delay", "100000h"),
    ]);
    assert_eq!((huge.spec.stable_window, huge.panic_window), (limit, limit));
    assert_eq!(huge.spec.scale_down_delay, limit);
    let tiny = rules(&[("window", "0s"), ("panic-window-percentage", "-5")]);
    assert_eq!(tiny.spec.stable_window, Duration::from_secs(6));
    assert_eq!(tiny.panic_window, Duration::from_secs(1));
}

#[test]
fn unreachable_revisions_keep_no_last_pod() {
    let mut autoscaler = autoscaler(&[("scale-to-zero-pod-retention-period", "42s")]);
    autoscaler.spec.reachability = Reachability::Unreachable;
    let rules = Rules::read(&autoscaler, &Settings::default());
    assert_eq!(rules.zero.retention, Duration::ZERO);
    assert!(!rules.spec.reachable);
}

#[test]
fn unreadable_annotations_count_as_absent() {
    assert_eq!(
        rules(&[("min-scale", "many"), ("target", "-3"), ("window", "?")]),
        rules(&[])
    );
}

#[test]
fn each_revision_has_one_class() {
    let mut settings = Settings::default();
    for (class, expected) in [
        ("kpa.autoscaling.knative.dev", Class::Kpa),
        ("hpa.autoscaling.knative.dev", Class::Hpa),
        ("keda.example.com", Class::Other),
    ] {
        let named = Rules::class(&autoscaler(&[("class", class)]), &settings);
        assert_eq!(named, expected, "{class}");
    }
    assert_eq!(Rules::class(&autoscaler(&[]), &settings), Class::Kpa);
    settings.autoscaler.pod_autoscaler_class = "hpa.autoscaling.knative.dev".to_owned();
    assert_eq!(Rules::class(&autoscaler(&[]), &settings), Class::Hpa);
}
