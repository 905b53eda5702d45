//! What is scaled, and how: as much of a Service and of config-autoscaler as the autoscaler looks at,
//! and how long pods take to start.

use std::collections::BTreeMap;

use crds::autoscaling::{PodAutoscaler, PodAutoscalerSpec, Reachability, ScaleTarget};
use crds::config::{ConfigError, Settings};
use crds::name::autoscaling;
use crds::service::Service;
use crds::validation::{FieldErrors, ValidationContext, validate_pod_autoscaler};
use serde::Deserialize;

/// How long pods take to start where nothing is said, in milliseconds: about what a small container
/// needs whose image is on the node.
const START_UP: u64 = 700;
/// Longest start, in milliseconds: an hour.
const LONGEST_START_UP: u64 = 3_600_000;
/// How long a request may wait where nothing is said, in seconds; config-defaults says so, too.
const TIMEOUT: u64 = 300;

/// Name of the revision; nobody sees it.
const NAME: &str = "replayed";

/// What is scaled, and how.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Annotations of the revision. In YAML, names without a prefix are of `autoscaling.knative.dev`.
    pub annotations: BTreeMap<String, String>,
    /// Requests that one pod gets at once; 0 is no limit.
    pub container_concurrency: Option<i64>,
    /// How long a request may wait, in seconds.
    pub timeout_seconds: Option<i64>,
    /// Keys of config-autoscaler.
    pub config_autoscaler: BTreeMap<String, String>,
    /// How long pods take to become ready, in milliseconds: each pod takes the next one in turn.
    pub start_up: Vec<u64>,
}

/// A plan that makes sense.
#[derive(Clone, Debug)]
pub(super) struct Sound {
    pub(super) autoscaler: PodAutoscaler,
    pub(super) settings: Settings,
    /// Requests that one pod gets at once; nothing is no limit.
    pub(super) slots: Option<u64>,
    /// In milliseconds.
    pub(super) timeout: u64,
    /// In milliseconds, at least one.
    pub(super) start_up: Vec<u64>,
}

/// Why a plan can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not the YAML of a plan or of a Service.
    #[error("neither a plan nor a Service")]
    Yaml(#[from] serde_yaml::Error),
    /// The webhook would refuse it.
    #[error("the revision would be refused: {0}")]
    Revision(FieldErrors),
    /// The webhook would refuse it.
    #[error("config-autoscaler would be refused")]
    Config(#[from] ConfigError),
    /// Scaled by somebody else.
    #[error("class {0} is not ours to replay")]
    Class(String),
    /// Pods that never start.
    #[error("a pod takes at most {LONGEST_START_UP} ms to start")]
    StartUp,
}

impl Plan {
    /// Reads a plan, or the template of a Service.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn read(text: &str) -> Result<Self, PlanError> {
        let value: serde_yaml::Value = serde_yaml::from_str(text)?;
        if value.get("kind").is_none() {
            let mut plan: Self = serde_yaml::from_value(value)?;
            for (name, value) in std::mem::take(&mut plan.annotations) {
                plan.annotate(&name, value);
            }
            return Ok(plan);
        }
        let template = serde_yaml::from_value::<Service>(value)?.spec.template;
        let annotations = template.metadata.and_then(|metadata| metadata.annotations);
        Ok(Self {
            annotations: annotations.unwrap_or_default(),
            container_concurrency: template.spec.container_concurrency,
            timeout_seconds: template.spec.timeout_seconds,
            ..Self::default()
        })
    }

    /// Adds an annotation, or changes it.
    pub fn annotate(&mut self, name: &str, value: String) {
        let name = match name.contains('/') {
            true => name.to_owned(),
            false => format!("{}/{name}", autoscaling::GROUP),
        };
        self.annotations.insert(name, value);
    }

    /// The plan, if the webhook would take it.
    pub(super) fn checked(self) -> Result<Sound, PlanError> {
        let mut settings = Settings::default();
        settings.update(crds::config::name::AUTOSCALER, &self.config_autoscaler)?;
        let autoscaler = autoscaler(self.annotations, self.container_concurrency);
        let ctx = ValidationContext {
            settings: &settings,
            status_only: false,
        };
        let faults = validate_pod_autoscaler(&autoscaler, &ctx).errors();
        if !faults.is_empty() {
            return Err(PlanError::Revision(faults));
        }
        let annotations = autoscaler.metadata.annotations.iter().flatten();
        let class = annotations
            .clone()
            .find(|(name, _)| *name == autoscaling::CLASS);
        if let Some((_, class)) = class.filter(|(_, class)| *class != autoscaling::KPA) {
            return Err(PlanError::Class(class.clone()));
        }
        if self.start_up.iter().any(|start| *start > LONGEST_START_UP) {
            return Err(PlanError::StartUp);
        }
        let positive = |number: Option<i64>| {
            number
                .and_then(|it| u64::try_from(it).ok())
                .filter(|it| *it > 0)
        };
        Ok(Sound {
            slots: positive(self.container_concurrency),
            timeout: positive(self.timeout_seconds)
                .unwrap_or(TIMEOUT)
                .saturating_mul(1000),
            start_up: if self.start_up.is_empty() {
                vec![START_UP]
            } else {
                self.start_up
            },
            autoscaler,
            settings,
        })
    }
}

/// The order that the operator would give for the revision.
fn autoscaler(annotations: BTreeMap<String, String>, concurrency: Option<i64>) -> PodAutoscaler {
    let mut autoscaler = PodAutoscaler::new(
        NAME,
        PodAutoscalerSpec {
            container_concurrency: concurrency,
            scale_target_ref: ScaleTarget {
                api_version: Some("apps/v1".to_owned()),
                kind: Some("Deployment".to_owned()),
                name: Some(NAME.to_owned()),
            },
            reachability: Reachability::Reachable,
            protocol_type: "http1".to_owned(),
        },
    );
    autoscaler.metadata.annotations = Some(annotations);
    autoscaler
}

#[cfg(test)]
mod tests {
    use super::{Plan, PlanError};

    fn refused(text: &str) -> String {
        let plan = Plan::read(text).and_then(Plan::checked);
        plan.unwrap_err().to_string()
    }

    #[test]
    fn a_plan_is_written_or_taken_from_a_service() {
        let written = "
annotations: {window: 10s, autoscaling.knative.dev/target: '5'}
containerConcurrency: 10
startUp: [300, 2000]";
        let sound = Plan::read(written).unwrap().checked().unwrap();
        assert_eq!((sound.slots, sound.timeout), (Some(10), 300_000));
        assert_eq!(sound.start_up, [300, 2000]);
        let service = "
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/window: 10s, autoscaling.knative.dev/target: '5'}}
    spec: {containerConcurrency: 10, timeoutSeconds: 20, containers: [{image: hello}]}";
        let taken = Plan::read(service).unwrap().checked().unwrap();
        assert_eq!(taken.autoscaler, sound.autoscaler);
        assert_eq!((taken.timeout, taken.start_up), (20_000, vec![700]));
    }

    #[test]
    fn what_the_webhook_would_refuse_is_refused() {
        assert!(refused("annotations: {window: 1s}").contains("autoscaling.knative.dev/window"));
        assert!(refused("containerConcurrency: -1").contains("spec.containerConcurrency"));
        assert!(
            refused("annotations: {class: hpa.autoscaling.knative.dev, metric: cpu}")
                .contains("hpa")
        );
        assert!(matches!(
            Plan::read("configAutoscaler: {stable-window: 1s}")
                .unwrap()
                .checked(),
            Err(PlanError::Config(_))
        ));
        assert!(matches!(
            Plan::read("windoww: 10s"),
            Err(PlanError::Yaml(_))
        ));
        assert!(matches!(
            Plan::read("startUp: [3600001]").unwrap().checked(),
            Err(PlanError::StartUp)
        ));
    }
}
