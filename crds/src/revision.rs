//! Revision: one unchanging form of an app (contract/control-plane 1.5, 3.3).

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;

/// What every revision of a Configuration is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionTemplate {
    /// Name, labels and annotations of the revision. Autoscaling annotations belong here.
    #[schemars(schema_with = "crate::schema::template_metadata")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ObjectMeta>,
    /// Pod and request rules of the revision.
    #[serde(default)]
    pub spec: RevisionSpec,
}

impl RevisionTemplate {
    /// Name that the author gives the revision; empty where none is given.
    pub fn name(&self) -> &str {
        self.metadata
            .as_ref()
            .and_then(|meta| meta.name.as_deref())
            .unwrap_or_default()
    }
}

/// What a Revision should be: its pod, and how requests reach it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "serving.knative.dev",
    version = "v1",
    kind = "Revision",
    namespaced,
    status = "RevisionStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "rev",
    category = "all",
    category = "knative",
    category = "serving",
    printcolumn(
        name = "Config Name",
        type_ = "string",
        json_path = ".metadata.labels['serving\\.knative\\.dev/configuration']"
    ),
    printcolumn(
        name = "Generation",
        type_ = "string",
        json_path = ".metadata.labels['serving\\.knative\\.dev/configurationGeneration']"
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
    ),
    printcolumn(
        name = "Actual Replicas",
        type_ = "integer",
        json_path = ".status.actualReplicas"
    ),
    printcolumn(
        name = "Desired Replicas",
        type_ = "integer",
        json_path = ".status.desiredReplicas"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSpec {
    /// Most requests that one pod gets at once; 0 is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_concurrency: Option<i64>,
    /// Longest time for one request, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
    /// Longest time until the answer starts, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_start_timeout_seconds: Option<i64>,
    /// Longest pause in the answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<i64>,
    /// The pod, in the words of Kubernetes.
    #[serde(flatten)]
    pub pod: PodSpec,
}

impl RevisionSpec {
    /// The container that gets the requests: the only one, or the one with a port.
    pub fn serving_container(&self) -> Option<&Container> {
        match self.pod.containers.as_slice() {
            [only] => Some(only),
            several => several
                .iter()
                .find(|c| c.ports.as_ref().is_some_and(|p| !p.is_empty())),
        }
    }
}

/// What a Revision is now: its images, its pods, and whether it can serve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the revision can serve, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Where the logs of the revision are: logging.revision-url-template of config-observability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_url: Option<String>,
    /// The images that run, by digest: what the tags stood for when the revision was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_statuses: Vec<ContainerStatus>,
    /// The images of the init containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// How many pods are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_replicas: Option<i32>,
    /// How many pods the autoscaler wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_replicas: Option<i32>,
}

/// Image of one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Name of the container.
    #[serde(default)]
    pub name: String,
    /// Image with its digest; empty when the registry is not asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_digest: String,
}

/// HTTP version that the app speaks, told by the name of its port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppProtocol {
    /// Port name empty or `http1`.
    #[default]
    Http1,
    /// Port name `h2c`: HTTP/2 without TLS.
    H2c,
}

impl RevisionSpec {
    /// HTTP version of the serving container.
    pub fn protocol(&self) -> AppProtocol {
        let port = self
            .serving_container()
            .and_then(|c| c.ports.as_ref()?.first());
        match port.and_then(|port| port.name.as_deref()) {
            Some("h2c") => AppProtocol::H2c,
            _ => AppProtocol::Http1,
        }
    }
}
