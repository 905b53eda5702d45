use std::time::Duration;

use super::reader::Reader;
use super::{ConfigError, Data};
use crate::name::autoscaling;

const SHORTEST_WINDOW: Duration = Duration::from_secs(6);
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);

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
        let mut config = Self::default();
        config.read_load(&Reader(data))?;
        config.read_scale(&Reader(data))?;
        config.check()?;
        Ok(config)
    }

    fn read_load(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.text(&["pod-autoscaler-class"], &mut self.pod_autoscaler_class);
        let percentage = &mut self.container_concurrency_target_percentage;
        data.float(&["container-concurrency-target-percentage"], percentage)?;
        if *percentage <= 1.0 {
            *percentage *= 100.0;
        }
        data.float(
            &["container-concurrency-target-default"],
            &mut self.container_concurrency_target_default,
        )?;
        data.float(
            &["requests-per-second-target-default"],
            &mut self.requests_per_second_target_default,
        )?;
        data.float(&["target-burst-capacity"], &mut self.target_burst_capacity)?;
        data.duration(&["stable-window"], &mut self.stable_window)?;
        data.float(
            &["panic-window-percentage"],
            &mut self.panic_window_percentage,
        )?;
        data.float(
            &["panic-threshold-percentage"],
            &mut self.panic_threshold_percentage,
        )?;
        data.float(&["activator-capacity"], &mut self.activator_capacity)
    }

    fn read_scale(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.float(&["max-scale-up-rate"], &mut self.max_scale_up_rate)?;
        data.float(&["max-scale-down-rate"], &mut self.max_scale_down_rate)?;
        data.boolean(&["enable-scale-to-zero"], &mut self.enable_scale_to_zero)?;
        data.duration(
            &["scale-to-zero-grace-period"],
            &mut self.scale_to_zero_grace_period,
        )?;
        data.duration(
            &["scale-to-zero-pod-retention-period"],
            &mut self.scale_to_zero_pod_retention_period,
        )?;
        data.number(&["initial-scale"], &mut self.initial_scale)?;
        data.boolean(
            &["allow-zero-initial-scale"],
            &mut self.allow_zero_initial_scale,
        )?;
        data.number(&["min-scale"], &mut self.min_scale)?;
        data.number(&["max-scale"], &mut self.max_scale)?;
        data.number(&["max-scale-limit"], &mut self.max_scale_limit)?;
        data.duration(&["scale-down-delay"], &mut self.scale_down_delay)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let broken = self.load_faults().into_iter().chain(self.scale_faults());
        match broken.flatten().next() {
            Some(fault) => Err(ConfigError::Invalid(fault)),
            None => Ok(()),
        }
    }

    fn load_faults(&self) -> [Option<String>; 8] {
        let percentage = self.container_concurrency_target_percentage;
        let window = self.stable_window;
        let fault = |broken: bool, text: String| broken.then_some(text);
        [
            fault(
                percentage <= 0.0 || percentage > 100.0,
                format!("container-concurrency-target-percentage = {percentage} is outside of valid range of (0, 100]"),
            ),
            fault(
                self.container_concurrency_target_default * percentage / 100.0 < 0.01,
                "container-concurrency-target-percentage and container-concurrency-target-default yield a target concurrency that can't be less than 0.01".to_owned(),
            ),
            fault(
                self.requests_per_second_target_default * percentage / 100.0 < 0.01,
                "requests-per-second-target-default must be at least 0.01 after the target percentage".to_owned(),
            ),
            fault(
                self.target_burst_capacity < 0.0 && self.target_burst_capacity != -1.0,
                format!("target-burst-capacity must be either non-negative or -1 (for unlimited), was: {}", self.target_burst_capacity),
            ),
            fault(
                window < SHORTEST_WINDOW || window > LONGEST_WINDOW || window.subsec_nanos() != 0,
                format!("stable-window = {window:?} must be in [6s, 1h] and of whole seconds"),
            ),
            fault(
                !(1.0..=100.0).contains(&self.panic_window_percentage),
                format!("panic-window-percentage = {} must be in [1, 100] interval", self.panic_window_percentage),
            ),
            fault(
                !(110.0..=1000.0).contains(&self.panic_threshold_percentage),
                format!("panic-threshold-percentage = {} must be in [110, 1000] interval", self.panic_threshold_percentage),
            ),
            fault(
                self.activator_capacity < 1.0,
                format!("activator-capacity = {}, must be at least 1", self.activator_capacity),
            ),
        ]
    }

    fn scale_faults(&self) -> [Option<String>; 8] {
        let fault = |broken: bool, text: String| broken.then_some(text);
        let smallest = if self.allow_zero_initial_scale { 0 } else { 1 };
        let limit = self.max_scale_limit;
        [
            fault(
                self.max_scale_up_rate <= 1.0,
                format!(
                    "max-scale-up-rate = {}, must be greater than 1.0",
                    self.max_scale_up_rate
                ),
            ),
            fault(
                self.max_scale_down_rate <= 1.0,
                format!(
                    "max-scale-down-rate = {}, must be greater than 1.0",
                    self.max_scale_down_rate
                ),
            ),
            fault(
                self.scale_to_zero_grace_period.is_zero(),
                "scale-to-zero-grace-period must be positive".to_owned(),
            ),
            fault(
                self.initial_scale < smallest,
                format!(
                    "initial-scale = {}, must be at least {smallest} (or at least 0 when allow-zero-initial-scale is true)",
                    self.initial_scale
                ),
            ),
            fault(
                self.min_scale < 0,
                format!("min-scale = {}, must be at least 0", self.min_scale),
            ),
            fault(
                limit < 0,
                format!("max-scale-limit = {limit}, must be at least 0"),
            ),
            fault(
                self.max_scale < 0 || limit > 0 && !(1..=limit).contains(&self.max_scale),
                format!(
                    "max-scale = {}, must be in [{}, max-scale-limit({limit})] range",
                    self.max_scale,
                    limit.min(1)
                ),
            ),
            fault(
                self.max_scale > 0 && self.min_scale > self.max_scale,
                format!(
                    "min-scale ({}) must be less than max-scale ({})",
                    self.min_scale, self.max_scale
                ),
            ),
        ]
    }
}
