//! The HorizontalPodAutoscaler that a PodAutoscaler should have. Pure.

use crds::annotation::Autoscaling;
use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use crds::quantity::canonical;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricIdentifier, MetricSpec,
    MetricTarget, PodsMetricSource, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::rules::Rules;
use crate::sks::child;

const CPU: &str = "cpu";
const MEMORY: &str = "memory";

/// The HorizontalPodAutoscaler that `autoscaler` should have. Without a target it names no metric,
/// and Kubernetes then aims at 80 % of the CPU.
pub(super) fn desired(autoscaler: &PodAutoscaler, settings: &Settings) -> HorizontalPodAutoscaler {
    let annotations = autoscaler.metadata.annotations.clone().unwrap_or_default();
    let wishes = Autoscaling::read(&annotations);
    let spec = Rules::read(autoscaler, settings).spec;
    let target = &autoscaler.spec.scale_target_ref;
    let metric = wishes.target.map(|target| metric(&wishes, target));
    HorizontalPodAutoscaler {
        metadata: child(autoscaler),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: target.api_version.clone(),
                kind: target.kind.clone().unwrap_or_default(),
                name: target.name.clone().unwrap_or_default(),
            },
            min_replicas: Some(spec.min_scale()).filter(|min| *min > 0).map(scale),
            max_replicas: spec.bounds.max.map_or(i32::MAX, scale),
            metrics: metric.map(|metric| vec![metric]),
            behavior: wishes.window.map(|window| stable_for(window.as_secs())),
        }),
        status: None,
    }
}

fn metric(wishes: &Autoscaling, target: f64) -> MetricSpec {
    let resource = |name: &str, target| MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: name.to_owned(),
            target,
        }),
        ..MetricSpec::default()
    };
    match wishes.metric.as_deref().unwrap_or(CPU) {
        CPU => resource(
            CPU,
            MetricTarget {
                type_: "Utilization".to_owned(),
                // `as` saturates.
                average_utilization: Some(target.ceil() as i32),
                ..MetricTarget::default()
            },
        ),
        MEMORY => resource(MEMORY, average(&format!("{}Mi", target as i64))),
        own => MetricSpec {
            type_: "Pods".to_owned(),
            pods: Some(PodsMetricSource {
                metric: MetricIdentifier {
                    name: own.to_owned(),
                    selector: None,
                },
                target: average(&format!("{}", target as i64)),
            }),
            ..MetricSpec::default()
        },
    }
}

/// An amount for each pod, spelled as the API server spells it.
fn average(amount: &str) -> MetricTarget {
    let amount = canonical(amount).unwrap_or_else(|| amount.to_owned());
    MetricTarget {
        type_: "AverageValue".to_owned(),
        average_value: Some(Quantity(amount)),
        ..MetricTarget::default()
    }
}

/// A number of pods must have been wanted for so many seconds, in either direction.
fn stable_for(seconds: u64) -> HorizontalPodAutoscalerBehavior {
    let rules = HPAScalingRules {
        stabilization_window_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
        ..HPAScalingRules::default()
    };
    HorizontalPodAutoscalerBehavior {
        scale_down: Some(rules.clone()),
        scale_up: Some(rules),
    }
}

fn scale(pods: u32) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}
