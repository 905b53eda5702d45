//! Rules of autoscaling annotations and of a PodAutoscaler (contract/control-plane 1.6, 1.7).

use std::collections::BTreeMap;

use super::{FieldErrors, ValidationContext, networking, template};
use crate::annotation::{Spellings, find, key};
use crate::autoscaling::PodAutoscalerSpec;
use crate::config::AutoscalerConfig;
use crate::duration::Nanos;
use crate::name::autoscaling;

type Annotations = BTreeMap<String, String>;

const SECOND: Nanos = Nanos::seconds(1);
const LEAST_TARGET: f64 = 0.01;

/// Spec of a PodAutoscaler.
pub(super) fn spec(spec: &PodAutoscalerSpec, ctx: &ValidationContext<'_>) -> FieldErrors {
    let target = &spec.scale_target_ref;
    let mut errors = FieldErrors::none();
    for (field, value) in [
        ("apiVersion", &target.api_version),
        ("kind", &target.kind),
        ("name", &target.name),
    ] {
        if value.as_deref().unwrap_or_default().is_empty() {
            errors.also(FieldErrors::missing([field]).at("scaleTargetRef"));
        }
    }
    let concurrency = spec.container_concurrency.unwrap_or(0);
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
        activation_scale(all),
        metric(all, config),
        floats(all),
        durations(all),
    ]
    .into_iter()
    .collect()
}

fn class(all: &Annotations) -> FieldErrors {
    match find(all, key::CLASS) {
        Some((key, class))
            if class.ends_with(".knative.dev")
                && ![autoscaling::KPA, autoscaling::HPA].contains(&class) =>
        {
            FieldErrors::invalid(class, key)
        }
        _ => FieldErrors::none(),
    }
}

/// A whole number from zero on; absent counts as zero.
fn scale(all: &Annotations, keys: Spellings) -> Result<i32, FieldErrors> {
    let Some((key, text)) = find(all, keys) else {
        return Ok(0);
    };
    match text.parse::<i64>() {
        Ok(number) => match i32::try_from(number) {
            Ok(scale) if scale >= 0 => Ok(scale),
            _ => Err(FieldErrors::out_of_bounds(text, 0, i32::MAX, key)),
        },
        Err(_) => Err(FieldErrors::invalid(text, key)),
    }
}

fn scales(all: &Annotations, config: &AutoscalerConfig) -> FieldErrors {
    let (min, max) = match (scale(all, key::MIN_SCALE), scale(all, key::MAX_SCALE)) {
        (Ok(min), Ok(max)) => (min, max),
        (min, max) => return [min.err(), max.err()].into_iter().flatten().collect(),
    };
    let mut errors = FieldErrors::none();
    if max != 0 && max < min {
        errors.also(FieldErrors::new(
            format!("max-scale={max} is less than min-scale={min}"),
            [key::MAX_SCALE[0], key::MIN_SCALE[0]],
        ));
    }
    let limit = config.max_scale_limit;
    if let Some((key, _)) = find(all, key::MAX_SCALE).filter(|_| limit > 0) {
        if max == 0 {
            errors.also(FieldErrors::new(
                format!("max-scale=0 (unlimited), must be less than {limit}"),
                [key],
            ));
        } else if max > limit {
            errors.also(FieldErrors::out_of_bounds(max, 1, limit, key));
        }
    }
    errors
}

fn initial_scale(all: &Annotations, config: &AutoscalerConfig) -> FieldErrors {
    let Some((key, text)) = find(all, key::INITIAL_SCALE) else {
        return FieldErrors::none();
    };
    match text.parse::<i32>() {
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

fn activation_scale(all: &Annotations) -> FieldErrors {
    let Some((key, text)) = find(all, key::ACTIVATION_SCALE) else {
        return FieldErrors::none();
    };
    let Ok(wanted) = text.parse::<i32>() else {
        return FieldErrors::invalid(text, key);
    };
    if wanted < 2 {
        let text = format!("activation-scale={wanted} must be greater than 1");
        return FieldErrors::new(text, [key]);
    }
    let mut errors = FieldErrors::none();
    let least = scale(all, key::MIN_SCALE).unwrap_or(0);
    let most = scale(all, key::MAX_SCALE).unwrap_or(0);
    if wanted < least {
        errors.also(FieldErrors::new(
            format!("min-scale={least} is greater than activation-scale={wanted}"),
            [key::ACTIVATION_SCALE[0], key::MIN_SCALE[0]],
        ));
    }
    if most > 0 && wanted > most {
        errors.also(FieldErrors::new(
            format!("max-scale={most} is less than activation-scale={wanted}"),
            [key::ACTIVATION_SCALE[0], key::MAX_SCALE[0]],
        ));
    }
    errors
}

fn metric(all: &Annotations, config: &AutoscalerConfig) -> FieldErrors {
    let class = find(all, key::CLASS).map_or(config.pod_autoscaler_class.as_str(), |(_, v)| v);
    let mut errors = FieldErrors::none();
    let known: fn(&str) -> bool = match class {
        autoscaling::KPA => |metric| matches!(metric, "concurrency" | "rps"),
        autoscaling::HPA => |metric| !metric.is_empty(),
        _ => |_| true,
    };
    if let Some((key, metric)) = find(all, key::METRIC).filter(|(_, metric)| !known(metric)) {
        errors.also(FieldErrors::invalid(metric, key));
    }
    let known = |name: &str| {
        matches!(
            name,
            "linear" | "weighted-exponential" | "weightedExponential"
        )
    };
    let algorithm = find(all, key::METRIC_AGGREGATION).filter(|(_, name)| !known(name));
    if let Some((key, name)) = algorithm.filter(|_| class == autoscaling::KPA) {
        errors.also(FieldErrors::invalid(name, key));
    }
    errors
}

fn floats(all: &Annotations) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (keys, low, high) in [
        (key::PANIC_WINDOW_PERCENTAGE, 1.0, 100.0),
        (key::PANIC_THRESHOLD_PERCENTAGE, 110.0, 1000.0),
        (key::TARGET_UTILIZATION, 1.0, 100.0),
    ] {
        errors.also(float(all, keys, |key, text, value| {
            if (low..=high).contains(&value) {
                return FieldErrors::none();
            }
            FieldErrors::out_of_bounds(text, low, high, key)
        }));
    }
    errors.also(float(all, key::TARGET, |key, text, value| {
        if value >= LEAST_TARGET {
            return FieldErrors::none();
        }
        FieldErrors::new(
            format!("target {text} should be at least {LEAST_TARGET}"),
            [key],
        )
    }));
    errors.also(float(
        all,
        key::TARGET_BURST_CAPACITY,
        |key, text, value| {
            if value >= 0.0 || value == -1.0 {
                return FieldErrors::none();
            }
            FieldErrors::invalid(text, key)
        },
    ));
    errors
}

fn float(
    all: &Annotations,
    keys: Spellings,
    check: impl FnOnce(&'static str, &str, f64) -> FieldErrors,
) -> FieldErrors {
    match find(all, keys) {
        None => FieldErrors::none(),
        Some((key, text)) => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => check(key, text, value),
            _ => FieldErrors::invalid(text, key),
        },
    }
}

fn durations(all: &Annotations) -> FieldErrors {
    let (zero, hour) = (Nanos(0), Nanos::seconds(3600));
    let mut errors = FieldErrors::none();
    for (keys, low, precision) in [
        (key::WINDOW, Nanos::seconds(6), SECOND),
        (key::SCALE_DOWN_DELAY, zero, SECOND),
        (key::SCALE_TO_ZERO_POD_RETENTION, zero, Nanos(1)),
    ] {
        let Some((key, text)) = find(all, keys) else {
            continue;
        };
        errors.also(match text.parse::<Nanos>() {
            Err(_) => FieldErrors::invalid(text, key),
            Ok(time) if time < low || time > hour => {
                FieldErrors::out_of_bounds(text, low, hour, key)
            }
            Ok(time) if time.0 % precision.0 != 0 => {
                FieldErrors::new("must be specified with at most second precision", [key])
            }
            Ok(_) => FieldErrors::none(),
        });
    }
    errors
}
