//! Annotations that change how a revision is run, as typed values (contract/control-plane 1.6).
//!
//! Reading is lenient: the webhook refuses bad values, and what passed it long ago must not stop a
//! controller now.

use std::collections::BTreeMap;
use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

use crate::duration::Nanos;

/// Both spellings of one annotation; the first is the canonical one. Some have only that.
pub type Spellings = [&'static str; 2];

/// Keys of `autoscaling.knative.dev`.
pub mod key {
    use super::Spellings;

    macro_rules! keys {
        ($($(#[$doc:meta])* $name:ident $canonical:literal $camel:literal,)*) => {
            $($(#[$doc])* pub const $name: Spellings = [
                concat!("autoscaling.knative.dev/", $canonical),
                concat!("autoscaling.knative.dev/", $camel),
            ];)*
        };
    }

    keys! {
        /// Which autoscaler cares.
        CLASS "class" "class",
        /// What is measured.
        METRIC "metric" "metric",
        /// How measurements are averaged.
        METRIC_AGGREGATION "metric-aggregation-algorithm" "metricAggregationAlgorithm",
        /// Fewest pods.
        MIN_SCALE "min-scale" "minScale",
        /// Most pods.
        MAX_SCALE "max-scale" "maxScale",
        /// Pods at the start.
        INITIAL_SCALE "initial-scale" "initialScale",
        /// Fewest pods once there is one.
        ACTIVATION_SCALE "activation-scale" "activation-scale",
        /// Load per pod.
        TARGET "target" "target",
        /// Share of the capacity to aim at.
        TARGET_UTILIZATION "target-utilization-percentage" "targetUtilizationPercentage",
        /// Requests that must find room at once.
        TARGET_BURST_CAPACITY "target-burst-capacity" "targetBurstCapacity",
        /// Window for steady load.
        WINDOW "window" "window",
        /// Window for sudden load.
        PANIC_WINDOW_PERCENTAGE "panic-window-percentage" "panicWindowPercentage",
        /// Load that counts as sudden.
        PANIC_THRESHOLD_PERCENTAGE "panic-threshold-percentage" "panicThresholdPercentage",
        /// How long load must be gone.
        SCALE_DOWN_DELAY "scale-down-delay" "scaleDownDelay",
        /// How long the last pod stays.
        SCALE_TO_ZERO_POD_RETENTION
            "scale-to-zero-pod-retention-period" "scaleToZeroPodRetentionPeriod",
    }
}

/// Key and value of the annotation, whichever spelling is there; the canonical one wins.
pub fn find(
    annotations: &BTreeMap<String, String>,
    keys: Spellings,
) -> Option<(&'static str, &str)> {
    keys.into_iter()
        .find_map(|key| Some((key, annotations.get(key)?.as_str())))
}

/// Autoscaling annotations; nothing where one is missing or can't be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Autoscaling {
    /// Which autoscaler cares.
    pub class: Option<String>,
    /// What is measured: `concurrency`, `rps`, `cpu`, `memory`.
    pub metric: Option<String>,
    /// How measurements are averaged: `linear`, `weighted-exponential`.
    pub metric_aggregation_algorithm: Option<String>,
    /// Fewest pods.
    pub min_scale: Option<i32>,
    /// Most pods; 0 is no limit.
    pub max_scale: Option<i32>,
    /// Pods at the start.
    pub initial_scale: Option<i32>,
    /// Fewest pods once there is one.
    pub activation_scale: Option<i32>,
    /// Load per pod.
    pub target: Option<f64>,
    /// Share of the capacity to aim at, 1 to 100.
    pub target_utilization_percentage: Option<f64>,
    /// Requests that must find room at once; -1 is unlimited.
    pub target_burst_capacity: Option<f64>,
    /// Window for steady load.
    pub window: Option<Duration>,
    /// Window for sudden load, percent of the steady one.
    pub panic_window_percentage: Option<f64>,
    /// Load that counts as sudden, percent.
    pub panic_threshold_percentage: Option<f64>,
    /// How long load must be gone.
    pub scale_down_delay: Option<Duration>,
    /// How long the last pod stays.
    pub scale_to_zero_pod_retention_period: Option<Duration>,
}

impl Autoscaling {
    /// Reads the annotations of a Revision or a PodAutoscaler.
    pub fn read(annotations: &BTreeMap<String, String>) -> Self {
        let text = |keys| find(annotations, keys).map(|(_, value)| value.to_owned());
        let duration = |keys| {
            let nanos: Nanos = find(annotations, keys)?.1.parse().ok()?;
            nanos.to_std()
        };
        let scale = |keys| {
            let number: i32 = integer(find(annotations, keys)?.1).ok()?;
            (number >= 0).then_some(number)
        };
        let float = |keys| {
            let number = float(find(annotations, keys)?.1)?;
            number.is_finite().then_some(number)
        };
        Self {
            class: text(key::CLASS),
            metric: text(key::METRIC),
            metric_aggregation_algorithm: text(key::METRIC_AGGREGATION).map(canonical),
            min_scale: scale(key::MIN_SCALE),
            max_scale: scale(key::MAX_SCALE),
            initial_scale: scale(key::INITIAL_SCALE),
            activation_scale: scale(key::ACTIVATION_SCALE),
            target: float(key::TARGET),
            target_utilization_percentage: float(key::TARGET_UTILIZATION),
            target_burst_capacity: float(key::TARGET_BURST_CAPACITY),
            window: duration(key::WINDOW),
            panic_window_percentage: float(key::PANIC_WINDOW_PERCENTAGE),
            panic_threshold_percentage: float(key::PANIC_THRESHOLD_PERCENTAGE),
            scale_down_delay: duration(key::SCALE_DOWN_DELAY),
            scale_to_zero_pod_retention_period: duration(key::SCALE_TO_ZERO_POD_RETENTION),
        }
    }
}

/// Why a text is not a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntegerError {
    /// It does not look like one.
    Syntax,
    /// It has too many digits.
    Range,
}

/// `text` as a whole number.
pub(crate) fn integer<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, IntegerError> {
    text.parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => IntegerError::Range,
            _ => IntegerError::Syntax,
        })
}

/// `text` as a decimal number. One that is too large is none; `inf` and `NaN` are numbers.
pub(crate) fn float(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let digits = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let unsigned = text.trim_start_matches(['+', '-']);
    let word = unsigned.starts_with(|c: char| c.is_ascii_alphabetic());
    let too_large = number.is_infinite() && !word;
    let signed_nan = number.is_nan() && digits;
    (!too_large && !signed_nan).then_some(number)
}

fn canonical(algorithm: String) -> String {
    match algorithm.as_str() {
        "weightedExponential" => "weighted-exponential".to_owned(),
        _ => algorithm,
    }
}

#[cfg(test)]
mod tests {
    use super::Autoscaling;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn read(pairs: &[(&str, &str)]) -> Autoscaling {
        let annotations = pairs.iter().map(|(key, value)| {
            (
                format!("autoscaling.knative.dev/{key}"),
                (*value).to_owned(),
            )
        });
        Autoscaling::read(&annotations.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn both_spellings_are_read_and_the_canonical_one_wins() {
        let seen = read(&[("minScale", "2"), ("max-scale", "5"), ("maxScale", "9")]);
        assert_eq!((seen.min_scale, seen.max_scale), (Some(2), Some(5)));
        assert_eq!(
            read(&[("window", "90s")]).window,
            Some(Duration::from_secs(90))
        );
        let seen = read(&[("metric-aggregation-algorithm", "weightedExponential")]);
        assert_eq!(
            seen.metric_aggregation_algorithm.as_deref(),
            Some("weighted-exponential")
        );
    }

    #[test]
    fn unreadable_values_are_as_if_missing() {
        let seen = read(&[("min-scale", "-2"), ("target", "NaN"), ("window", "-3s")]);
        assert_eq!(seen, Autoscaling::default());
    }
}
