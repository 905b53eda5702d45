//! The status of a PodAutoscaler of the HPA class (contract/control-plane 3.4).

use crds::autoscaling::{PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{Truth, Verdicts};

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use crate::sks::Path;
use crate::status::{ACTIVE, INITIALIZED, PATH_READY, is_initialized, not_owned};

const KIND: &str = "HorizontalPodAutoscaler";

/// What became of the HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scaler {
    /// It is there.
    There {
        /// Pods that there are, as it says.
        current: i32,
        /// Pods that it wants.
        desired: i32,
    },
    /// The name is taken by an object that is not ours.
    Foreign,
    /// The API server refuses it.
    Refused,
}

impl Scaler {
    /// As the object says.
    pub(super) fn there(scaler: &HorizontalPodAutoscaler) -> Self {
        let status = scaler.status.as_ref();
        Self::There {
            current: status
                .and_then(|status| status.current_replicas)
                .unwrap_or_default(),
            desired: status
                .map(|status| status.desired_replicas)
                .unwrap_or_default(),
        }
    }
}

/// The status after a pass. A revision of this class is always active; it is initialised once there
/// have been `threshold` pods.
pub(super) fn status(
    autoscaler: &PodAutoscaler,
    scaler: &Scaler,
    path: &Path,
    threshold: u32,
    now: Timestamp,
) -> PodAutoscalerStatus {
    let before = autoscaler.status.clone().unwrap_or_default();
    let name = autoscaler.metadata.name.as_deref().unwrap_or_default();
    let active = match (scaler, path) {
        (Scaler::Foreign, _) => not_owned(KIND, name),
        (Scaler::Refused, _) => {
            Truth::no("FailedCreate", format!("Failed to create {KIND} {name:?}."))
        }
        (Scaler::There { .. }, Path::Foreign(name)) => not_owned("ServerlessService", name),
        (Scaler::There { .. }, Path::Unbuilt | Path::Built { .. }) => Truth::True,
    };
    let (desired, actual) = match scaler {
        Scaler::There { current, desired } => (Some(*desired), Some(*current)),
        Scaler::Foreign | Scaler::Refused => (before.desired_scale, before.actual_scale),
    };
    let enough = actual.is_some_and(|actual| u32::try_from(actual).is_ok_and(|it| it >= threshold));
    let initialized = match path {
        _ if is_initialized(&before) => Truth::True,
        Path::Built { ready: true, .. } if enough => Truth::True,
        Path::Built { .. } | Path::Unbuilt | Path::Foreign(_) => Truth::unknown("", ""),
    };
    let path_ready = match path {
        Path::Built { ready: true, .. } => Truth::True,
        Path::Built { .. } | Path::Unbuilt | Path::Foreign(_) => {
            Truth::unknown("NotReady", "SKS Services are not ready yet")
        }
    };
    let verdicts = Verdicts::of(vec![
        (ACTIVE, active),
        (INITIALIZED, initialized),
        (PATH_READY, path_ready),
    ]);
    let (service_name, metrics_service_name) = path.services();
    PodAutoscalerStatus {
        observed_generation: autoscaler.metadata.generation,
        conditions: verdicts.merge(&before.conditions, now),
        service_name: service_name.to_owned(),
        metrics_service_name: metrics_service_name.to_owned(),
        desired_scale: desired,
        actual_scale: actual,
    }
}
