//! PodAutoscaler: the order to scale one revision (contract/control-plane 1.7, 3.4).

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;

/// What should be scaled, and by which rules.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "autoscaling.internal.knative.dev",
    version = "v1alpha1",
    kind = "PodAutoscaler",
    namespaced,
    status = "PodAutoscalerStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "kpa",
    shortname = "pa",
    category = "knative-internal",
    category = "autoscaling",
    printcolumn(
        name = "DesiredScale",
        type_ = "integer",
        json_path = ".status.desiredScale"
    ),
    printcolumn(
        name = "ActualScale",
        type_ = "integer",
        json_path = ".status.actualScale"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct PodAutoscalerSpec {
    /// Most requests that one pod gets at once, 0 to 1000; 0 is no limit. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_concurrency: Option<i64>,
    /// The object that is scaled: the Deployment of the revision.
    pub scale_target_ref: ScaleTarget,
    /// Whether routes lead to the revision: Reachable, Unreachable, or empty while that is not known.
    /// min-scale holds for a reachable revision only.
    #[serde(default, skip_serializing_if = "Reachability::is_unknown")]
    pub reachability: Reachability,
    /// What the app speaks: http1, or h2c, which is HTTP/2 without TLS.
    pub protocol_type: String,
}

/// The object that is scaled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleTarget {
    /// API version of the object, for example apps/v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the object, for example Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the object, in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whether routes lead to a revision.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Reachability {
    /// Not known yet.
    #[default]
    #[serde(rename = "")]
    Unknown,
    /// A route leads here.
    Reachable,
    /// No route leads here: min-scale does not hold.
    Unreachable,
}

impl Reachability {
    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

/// What a PodAutoscaler is now: how many pods there are, and how many it wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodAutoscalerStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the revision is scaled as it should be, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Core Service in front of the revision.
    #[serde(default)]
    pub service_name: String,
    /// Core Service of the revision's own pods.
    #[serde(default)]
    pub metrics_service_name: String,
    /// How many pods are wanted; -1 while nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_scale: Option<i32>,
    /// How many pods are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_scale: Option<i32>,
}

/// What is measured for a PodAutoscaler.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "autoscaling.internal.knative.dev",
    version = "v1alpha1",
    kind = "Metric",
    namespaced,
    status = "MetricStatus",
    derive = "PartialEq",
    derive = "Default",
    category = "knative-internal",
    category = "autoscaling",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct MetricSpec {
    /// Length of the window for steady load, in nanoseconds.
    pub stable_window: i64,
    /// Length of the window for sudden load, in nanoseconds.
    pub panic_window: i64,
    /// Core Service to ask for statistics; empty means that only activators tell.
    pub scrape_target: String,
}

/// What a Metric is now: whether statistics come in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether statistics come in, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
