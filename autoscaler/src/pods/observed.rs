//! As much of a pod as we look at: the store holds every pod of every revision, and a whole pod is
//! ten times as large.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ObjectMeta;
use serde::Deserialize;

/// A pod, of a revision or of our own Deployment.
#[derive(Resource, Clone, Debug, Default, Deserialize)]
#[resource(inherit = "Pod")]
pub struct ObservedPod {
    metadata: ObjectMeta,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    conditions: Vec<PodCondition>,
    #[serde(default, rename = "podIP")]
    pod_ip: String,
    start_time: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct PodCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

/// What a pod is to the autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not running yet.
    Pending,
    /// Running, but not ready.
    NotReady,
    /// Running, ready, and not about to go.
    Ready,
    /// About to go.
    Terminating,
    /// Gone, but for its object.
    Ended,
}

impl ObservedPod {
    /// Where it stands.
    pub(crate) fn stage(&self) -> Stage {
        let is_ready = |found: &PodCondition| found.type_ == "Ready" && found.status == "True";
        match self.status.phase.as_str() {
            _ if self.metadata.deletion_timestamp.is_some() => Stage::Terminating,
            "Running" if self.status.conditions.iter().any(is_ready) => Stage::Ready,
            "Running" => Stage::NotReady,
            "Succeeded" | "Failed" => Stage::Ended,
            _ => Stage::Pending,
        }
    }

    /// When kubelet has taken it on.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.status.start_time.as_ref().map(|time| time.0)
    }

    /// Its address; nothing while it has none.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.status.pod_ip.parse().ok()
    }
}
