//! Whether requests find pods, and if not, why the last activation has failed
//! (contract/control-plane 3.3).
//!
//! ```text
//! at zero ── request ──► Queued ── a pod serves ──────────────► True
//!    ▲                     └── pods crash, can't be pulled, scheduled, made ──► False: the cause
//!    └──────── the autoscaler gives up, the pods are gone, the cause stays ──────────┘
//! ```
//!
//! Ready says nothing of it, or not for long: a revision at zero is ready, and a Route may lead to
//! it, which is how it is tried again. So the cause stands where nothing depends on it: in Active,
//! until a pod serves. Services that lead to the revision show it, too.

use crds::autoscaling::{PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{READY, Truth, find};
use crds::revision::RevisionStatus;

use super::verdict::{ACTIVE, DEPLOYING};

/// Reasons of the autoscaler that name no failed activation.
const NO_CAUSES: [&str; 2] = ["NoTraffic", "NotOwned"];
/// Reasons of kubelet that take turns while an image can't be pulled.
const PULL: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

/// How far the autoscaler is.
pub(super) struct Scaling {
    /// Its Ready, once it has one.
    pub(super) ready: Option<Truth>,
    /// Whether the revision had all its first pods once.
    pub(super) initialised: bool,
    /// Whether requests can reach the pods.
    pub(super) has_service: bool,
}

impl Scaling {
    pub(super) fn of(autoscaler: Option<&PodAutoscaler>) -> Self {
        let status = autoscaler.and_then(|autoscaler| autoscaler.status.as_ref());
        let nothing = PodAutoscalerStatus::default();
        let status = status.unwrap_or(&nothing);
        let truth = |name| Truth::of(find(&status.conditions, name));
        Self {
            ready: find(&status.conditions, READY).map(|ready| Truth::of(Some(ready))),
            initialised: truth("ScaleTargetInitialized").is_true(),
            has_service: !status.service_name.is_empty(),
        }
    }

    /// Whether requests come here and are served.
    pub(super) fn active(&self) -> Truth {
        let ready = self.ready.clone();
        ready.unwrap_or_else(|| Truth::unknown(DEPLOYING, ""))
    }

    /// Whether it gave up before the revision had all its first pods.
    pub(super) fn gave_up(&self) -> bool {
        let failed = self.ready.as_ref().is_some_and(Truth::is_false);
        failed && !self.initialised && self.has_service
    }
}

/// Active: what the autoscaler says; but once a revision has served, what keeps its pods from
/// serving (`trouble`: reason, message) outweighs that, and stays until a pod serves. Nothing else
/// in the cluster remembers it when the pods are gone.
pub(super) fn active(scaling: &Scaling, trouble: Option<(String, String)>, old: Truth) -> Truth {
    let told = scaling.active();
    if told.is_true() || !scaling.initialised {
        return told;
    }
    match (trouble, old) {
        (Some((reason, _)), Truth::False(before, message)) if is_same(&reason, &before) => {
            Truth::False(before, message)
        }
        (Some((reason, message)), _) => Truth::False(reason, message),
        (None, Truth::False(reason, message)) if is_cause(&reason) => Truth::False(reason, message),
        (None, _) => told,
    }
}

/// Whether two reasons are two words for one trouble, so that they need not take turns here.
fn is_same(reason: &str, before: &str) -> bool {
    reason != before && PULL.contains(&reason) && PULL.contains(&before)
}

fn is_cause(reason: &str) -> bool {
    !reason.is_empty() && !NO_CAUSES.contains(&reason)
}

/// Why the last activation of a revision that has served before has failed: reason, message. None
/// since a pod serves, and where nothing has failed.
pub(crate) fn failed_activation(status: &RevisionStatus) -> Option<(String, String)> {
    match Truth::of(find(&status.conditions, ACTIVE)) {
        Truth::False(reason, message) if is_cause(&reason) => Some((reason, message)),
        _ => None,
    }
}

/// What people should know when the status goes from `old` to `new`: a failure that is new, or has
/// another reason.
pub(super) fn news(old: &RevisionStatus, new: &RevisionStatus) -> Option<String> {
    let (reason, message) = failed_activation(new)?;
    let known = failed_activation(old).is_some_and(|(before, _)| before == reason);
    (!known).then(|| format!("The revision can't start: {reason}: {message}"))
}
