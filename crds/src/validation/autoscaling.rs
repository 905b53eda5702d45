//! Rules of autoscaling annotations and of a PodAutoscaler (contract/control-plane 1.6, 1.7).

use std::collections::BTreeMap;

use super::{FieldErrors, ValidationContext, networking, target, template};
use crate::annotation::{self, IntegerError, Spellings, find, key};
use crate::autoscaling::PodAutoscalerSpec;
use crate::config::AutoscalerConfig;
use crate::duration::Nanos;
use crate::name::autoscaling;

type Annotations = BTreeMap<String, String>;

const LEAST_TARGET: f64 = 0.01;
const SECOND_PRECISION: &str = "must be specified with at most second precision";

/// Spec of a PodAutoscaler.
pub(super) fn spec(spec: &PodAutoscalerSpec, ctx: &ValidationContext<'_>) -> FieldErrors {
    let concurrency = spec.container_concurrency.unwrap_or(0);
    if (PodAutoscalerSpec {
        container_concurrency: Some(concurrency),
        ..spec.clone()
    }) == (PodAutoscalerSpec {
        container_concurrency: Some(0),
        ..PodAutoscalerSpec::default()
    }) {
        return FieldErrors::missing([""]);
    }
    let scaled = &spec.scale_target_ref;
    let fields = [&scaled.api_version, &scaled.kind, &scaled.name].map(Option::as_deref);
    let mut errors = target::validate(fields[0], fields[1], fields[2]).at("scaleTargetRef");
    errors.also(template::container_concurrency(concurrency, ctx));
    errors.also(networking::protocol(&spec.protocol_type));
    errors
}

/// Annotations of a template, Revision, PodAutoscaler or Metric; paths are the keys.
pub(super) fn validate(
    annotations: Option<&Annotations>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    let Some(all) = annotations else {
        return FieldErrors::none();
    };
    let config = &ctx.settings.autoscaler;
    [
        class(all),
        scales(all, config),
        initial_scale(all, config),
        metric(all, config),
        algorithm(all),
        floats(all),
        durations(all),
    ]
    .into_iter()
    .collect()
}

fn class(all: &Annotations) -> FieldErrors {
    match find(all, key::CLASS) {
        Some((key, class)) if class.ends_with(".knative.dev") && !is_ours(class) => {
            FieldErrors::invalid(class, key)
        }
        _ => FieldErrors::none(),
    }
}

fn is_ours(class: &str) -> bool {
    class == autoscaling::KPA || class == autoscaling::HPA
}

/// A whole number from zero on. Absent counts as zero, and so does what can't be read.
fn scale(all: &Annotations, keys: Spellings, errors: &mut FieldErrors) -> i32 {
    let Some((key, text)) = find(all, keys) else {
        return 0;
    };
    match annotation::integer(text) {
        Ok(scale) if scale >= 0 => return scale,
        Ok(_) | Err(IntegerError::Range) => {
            errors.also(FieldErrors::out_of_bounds(text, 0, i32::MAX, key));
        }
        Err(IntegerError::Syntax) => errors.also(FieldErrors::invalid(text, key)),
    }
    0
}

fn scales(all: &Annotations, config: &AutoscalerConfig) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let min = scale(all, key::MIN_SCALE, &mut errors);
    let max = scale(all, key::MAX_SCALE, &mut errors);
    if max != 0 && max < min {
        errors.also(FieldErrors::new(
            format!("max-scale={max} is less than min-scale={min}"),
            [key::MAX_SCALE[0], key::MIN_SCALE[0]],
        ));
    }
    let limit = config.max_scale_limit;
    if let Some((key, _)) = find(all, key::MAX_SCALE).filter(|_| limit != 0) {
        if max == 0 {
            let text = format!("max-scale=0 (unlimited), must be less than {limit}");
            errors.also(FieldErrors::new(text, [key]));
        }
        if max > limit {
            errors.also(FieldErrors::out_of_bounds(max, 1, limit, key));
        }
    }
    errors.also(activation_scale(all, min, max));
    errors
}

fn activation_scale(all: &Annotations, min: i32, max: i32) -> FieldErrors {
    let Some((key, text)) = find(all, key::ACTIVATION_SCALE) else {
        return FieldErrors::none();
    };
    let Ok(wanted) = annotation::integer::<i32>(text) else {
        return FieldErrors::invalid(text, key);
    };
    let text = if min > wanted {
        format!("min-scale={min} is greater than activation-scale={wanted}")
    } else if max != 0 && max < wanted {
        format!("max-scale={max} is less than activation-scale={wanted}")
    } else if wanted < 2 {
        format!("activation-scale={wanted} must be greater than 1")
    } else {
        return FieldErrors::none();
    };
    FieldErrors::new(text, [key])
}

fn initial_scale(all: &Annotations, config: &AutoscalerConfig) -> FieldErrors {
    let Some((key, text)) = find(all, key::INITIAL_SCALE) else {
        return FieldErrors::none();
    };
    match annotation::integer::<i64>(text) {
        Err(_) => FieldErrors::invalid(text, key),
        Ok(scale) if scale < 0 => {
            FieldErrors::invalid(text, format!("{key} must be greater than 0"))
        }
        Ok(0) if !config.allow_zero_initial_scale => {
            FieldErrors::invalid(text, format!("{key}=0 not allowed by cluster"))
        }
        Ok(_) => FieldErrors::none(),
    }
}

fn metric(all: &Annotations, config: &AutoscalerConfig) -> FieldErrors {
    let class = find(all, key::CLASS).map_or(config.pod_autoscaler_class.as_str(), |(_, v)| v);
    let known: fn(&str) -> bool = match class {
        autoscaling::KPA => |metric| matches!(metric, "concurrency" | "rps"),
        autoscaling::HPA => |metric| !metric.is_empty(),
        _ => |_| true,
    };
    match find(all, key::METRIC) {
        Some((key, metric)) if !known(metric) => FieldErrors::invalid(metric, key),
        _ => FieldErrors::none(),
    }
}

/// Only an autoscaler that is asked for by name is known to have no other algorithm.
fn algorithm(all: &Annotations) -> FieldErrors {
    let known = ["", "linear", "weighted-exponential", "weightedExponential"];
    let class = find(all, key::CLASS).map(|(_, class)| class);
    match find(all, key::METRIC_AGGREGATION) {
        Some((key, name)) if class == Some(autoscaling::KPA) && !known.contains(&name) => {
            FieldErrors::invalid(name, key)
        }
        _ => FieldErrors::none(),
    }
}

/// Bounds hold for what is out of them; what is not a number at all (`NaN`) is not.
fn floats(all: &Annotations) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (keys, low, high) in [
        (key::PANIC_WINDOW_PERCENTAGE, 1.0, 100.0),
        (key::PANIC_THRESHOLD_PERCENTAGE, 110.0, 1000.0),
        (key::TARGET_UTILIZATION, 1.0, 100.0),
    ] {
        errors.also(float(all, keys, |key, text, value| {
            let out = !value.is_nan() && !(low..=high).contains(&value);
            out.then(|| FieldErrors::out_of_bounds(text, low, high, key))
        }));
    }
    errors.also(float(all, key::TARGET, |key, text, value| {
        let words = format!("target {text} should be at least {LEAST_TARGET}");
        (value < LEAST_TARGET).then(|| FieldErrors::new(words, [key]))
    }));
    errors.also(float(
        all,
        key::TARGET_BURST_CAPACITY,
        |key, text, value| {
            let negative = value < 0.0 && value != -1.0;
            negative.then(|| FieldErrors::invalid(text, key))
        },
    ));
    errors
}

fn float(
    all: &Annotations,
    keys: Spellings,
    fault: impl FnOnce(&'static str, &str, f64) -> Option<FieldErrors>,
) -> FieldErrors {
    let Some((key, text)) = find(all, keys) else {
        return FieldErrors::none();
    };
    match annotation::float(text) {
        Some(value) => fault(key, text, value).unwrap_or_default(),
        None => FieldErrors::invalid(text, key),
    }
}

fn durations(all: &Annotations) -> FieldErrors {
    let (zero, hour) = (Nanos(0), Nanos::seconds(3600));
    let mut errors = FieldErrors::none();
    for (keys, low, whole) in [
        (key::WINDOW, Nanos::seconds(6), true),
        (key::SCALE_DOWN_DELAY, zero, true),
        (key::SCALE_TO_ZERO_POD_RETENTION, zero, false),
    ] {
        let Some((key, text)) = find(all, keys) else {
            continue;
        };
        errors.also(match text.parse::<Nanos>() {
            Err(_) => FieldErrors::invalid(text, key),
            Ok(time) if time < low || time > hour => {
                FieldErrors::out_of_bounds(text, low, hour, key)
            }
            Ok(time) if whole && !time.is_whole_seconds() => {
                FieldErrors::new(SECOND_PRECISION, [key])
            }
            Ok(_) => FieldErrors::none(),
        });
    }
    errors
}
