use std::time::Duration;

use super::reader::{Reader, any_length};
use super::{ConfigError, Data};
use crate::duration::Nanos;
use crate::name::autoscaling;

const SHORTEST_WINDOW: Duration = Duration::from_secs(6);
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);
/// Load per pod below which a target is no target.
const SMALLEST_TARGET: f64 = 0.01;

/// config-autoscaler: rules for revisions that say nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoscalerConfig {
    /// Autoscaler for revisions that name none.
    pub pod_autoscaler_class: String,
    /// How much of a pod's capacity the autoscaler aims at, 1 to 100.
    pub container_concurrency_target_percentage: f64,
    /// Requests per pod where the revision sets no limit.
    pub container_concurrency_target_default: f64,
    /// Requests per second and pod, for the metric `rps`.
    pub requests_per_second_target_default: f64,
    /// Requests that must find room at once; -1 is unlimited.
    pub target_burst_capacity: f64,
    /// Length of the window for steady load.
    pub stable_window: Duration,
    /// Length of the window for sudden load, percent of the stable one.
    pub panic_window_percentage: f64,
    /// Load that counts as sudden, percent of the capacity.
    pub panic_threshold_percentage: f64,
    /// Largest factor by which one decision may grow a revision.
    pub max_scale_up_rate: f64,
    /// Largest factor by which one decision may shrink a revision.
    pub max_scale_down_rate: f64,
    /// Whether idle revisions go to zero.
    pub enable_scale_to_zero: bool,
    /// How long the network may take to let go of the last pod.
    pub scale_to_zero_grace_period: Duration,
    /// How long the last pod stays at least.
    pub scale_to_zero_pod_retention_period: Duration,
    /// Requests that one activator holds.
    pub activator_capacity: f64,
    /// Pods of a new revision.
    pub initial_scale: i32,
    /// Whether a revision may start with no pod.
    pub allow_zero_initial_scale: bool,
    /// Fewest pods of a revision.
    pub min_scale: i32,
    /// Most pods of a revision; 0 is no limit.
    pub max_scale: i32,
    /// Most that a revision may ask for as its largest scale; 0 is no limit.
    pub max_scale_limit: i32,
    /// How long load must be gone before pods go.
    pub scale_down_delay: Duration,
}

impl Default for AutoscalerConfig {
    fn default() -> Self {
        Self {
            pod_autoscaler_class: autoscaling::KPA.to_owned(),
            container_concurrency_target_percentage: 70.0,
            container_concurrency_target_default: 100.0,
            requests_per_second_target_default: 200.0,
            target_burst_capacity: 211.0,
            stable_window: Duration::from_secs(60),
            panic_window_percentage: 10.0,
            panic_threshold_percentage: 200.0,
            max_scale_up_rate: 1000.0,
            max_scale_down_rate: 2.0,
            enable_scale_to_zero: true,
            scale_to_zero_grace_period: Duration::from_secs(30),
            scale_to_zero_pod_retention_period: Duration::ZERO,
            activator_capacity: 100.0,
            initial_scale: 1,
            allow_zero_initial_scale: false,
            min_scale: 0,
            max_scale: 0,
            max_scale_limit: 0,
            scale_down_delay: Duration::ZERO,
        }
    }
}

impl AutoscalerConfig {
    /// Reads the data of config-autoscaler.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read_load(data)?;
        config.read_scale(data)?;
        let faults = config.load_faults().into_iter().chain(config.rate_faults());
        match faults.chain(config.scale_faults()).flatten().next() {
            Some(fault) => Err(ConfigError::Invalid(fault)),
            None => Ok(config),
        }
    }

    fn read_load(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.text(&["pod-autoscaler-class"], &mut self.pod_autoscaler_class);
        let percentage = &mut self.container_concurrency_target_percentage;
        data.float("container-concurrency-target-percentage", percentage)?;
        if *percentage <= 1.0 {
            *percentage *= 100.0;
        }
        for (key, field) in [
            (
                "container-concurrency-target-default",
                &mut self.container_concurrency_target_default,
            ),
            (
                "requests-per-second-target-default",
                &mut self.requests_per_second_target_default,
            ),
            ("target-burst-capacity", &mut self.target_burst_capacity),
            ("panic-window-percentage", &mut self.panic_window_percentage),
            (
                "panic-threshold-percentage",
                &mut self.panic_threshold_percentage,
            ),
            ("activator-capacity", &mut self.activator_capacity),
            ("max-scale-up-rate", &mut self.max_scale_up_rate),
            ("max-scale-down-rate", &mut self.max_scale_down_rate),
        ] {
            data.float(key, field)?;
        }
        data.duration(&["stable-window"], &mut self.stable_window, any_length)
    }

    fn read_scale(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        for (key, field) in [
            ("enable-scale-to-zero", &mut self.enable_scale_to_zero),
            (
                "allow-zero-initial-scale",
                &mut self.allow_zero_initial_scale,
            ),
        ] {
            data.boolean(&[key], field)?;
        }
        for (key, field) in [
            ("initial-scale", &mut self.initial_scale),
            ("min-scale", &mut self.min_scale),
            ("max-scale", &mut self.max_scale),
            ("max-scale-limit", &mut self.max_scale_limit),
        ] {
            data.number(&[key], field)?;
        }
        let grace = &mut self.scale_to_zero_grace_period;
        data.duration(&["scale-to-zero-grace-period"], grace, |it| {
            (it.0 <= 0).then_some("must be positive")
        })?;
        let retention = &mut self.scale_to_zero_pod_retention_period;
        let key = "scale-to-zero-pod-retention-period";
        data.duration(&[key], retention, any_length)?;
        data.duration(&["scale-down-delay"], &mut self.scale_down_delay, |it| {
            let fraction = it.0 > 0 && !it.is_whole_seconds();
            fraction.then_some("must be specified with at most second precision")
        })
    }

    fn load_faults(&self) -> [Option<String>; 5] {
        let percentage = self.container_concurrency_target_percentage;
        let target = percentage / 100.0 * self.container_concurrency_target_default;
        let rps = self.requests_per_second_target_default;
        let burst = self.target_burst_capacity;
        let capacity = self.activator_capacity;
        let fault = |broken: bool, text: String| broken.then_some(text);
        [
            fault(
                burst < 0.0 && burst != -1.0,
                format!(
                    "target-burst-capacity must be either non-negative or -1 (for unlimited), was: {burst}"
                ),
            ),
            fault(
                percentage <= 0.0 || percentage > 100.0,
                format!(
                    "container-concurrency-target-percentage = {percentage} is outside of valid range of (0, 100]"
                ),
            ),
            fault(
                target < SMALLEST_TARGET,
                format!(
                    "container-concurrency-target-percentage and container-concurrency-target-default yield target concurrency of {target}, can't be less than {SMALLEST_TARGET}"
                ),
            ),
            fault(
                rps < SMALLEST_TARGET,
                format!(
                    "requests-per-second-target-default must be at least {SMALLEST_TARGET}, was: {rps}"
                ),
            ),
            fault(
                capacity < 1.0,
                format!("activator-capacity = {capacity}, must be at least 1"),
            ),
        ]
    }

    fn rate_faults(&self) -> [Option<String>; 6] {
        let (up, down) = (self.max_scale_up_rate, self.max_scale_down_rate);
        let window = self.stable_window;
        let shown = Nanos::from(window);
        let panic_window = self.panic_window_percentage;
        let panic_threshold = self.panic_threshold_percentage;
        let fault = |broken: bool, text: String| broken.then_some(text);
        [
            fault(
                up <= 1.0,
                format!("max-scale-up-rate = {up}, must be greater than 1.0"),
            ),
            fault(
                down <= 1.0,
                format!("max-scale-down-rate = {down}, must be greater than 1.0"),
            ),
            fault(
                window < SHORTEST_WINDOW || window > LONGEST_WINDOW,
                format!("stable-window = {shown}, must be in [6s; 1h0m0s] range"),
            ),
            fault(
                window.subsec_nanos() != 0,
                format!("stable-window = {shown}, must be specified with at most second precision"),
            ),
            fault(
                !(1.0..=100.0).contains(&panic_window),
                format!("panic-window-percentage = {panic_window}, must be in [1, 100] interval"),
            ),
            fault(
                panic_threshold <= 0.0,
                format!("panic-threshold-percentage = {panic_threshold}, must be positive"),
            ),
        ]
    }

    fn scale_faults(&self) -> [Option<String>; 5] {
        let (initial, min, max) = (self.initial_scale, self.min_scale, self.max_scale);
        let limit = self.max_scale_limit;
        let smallest = i32::from(limit > 0);
        let fault = |broken: bool, text: String| broken.then_some(text);
        [
            fault(
                initial < i32::from(!self.allow_zero_initial_scale),
                format!(
                    "initial-scale = {initial}, must be at least 0 (or at least 1 when allow-zero-initial-scale is false)"
                ),
            ),
            fault(min < 0, format!("min-scale = {min}, must be at least 0")),
            fault(
                max < smallest || limit > 0 && max > limit,
                format!(
                    "max-scale = {max}, must be in [{smallest}, max-scale-limit({limit})] range"
                ),
            ),
            fault(
                limit < 0,
                format!("max-scale-limit = {limit}, must be at least 0"),
            ),
            fault(
                max > 0 && min > max,
                format!("min-scale ({min}) must be less than max-scale ({max})"),
            ),
        ]
    }
}
