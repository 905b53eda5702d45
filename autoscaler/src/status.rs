//! The status of a PodAutoscaler (contract/control-plane 3.4).

use crds::autoscaling::{PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{self, Condition, Truth, Verdicts};
use jiff::{SignedDuration, Timestamp};

use crate::gate::Activity;
use crate::sks::Path;

/// Whether requests find pods.
pub const ACTIVE: &str = "Active";
/// Whether the initial scale was reached once.
pub const INITIALIZED: &str = "ScaleTargetInitialized";
/// Whether the Services of the revision are ready.
pub const PATH_READY: &str = "SKSReady";

/// How long a start stays untold: what takes longer is slow, and people want to know.
const UNTOLD: SignedDuration = SignedDuration::from_secs(5);

/// What one pass found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Findings<'a> {
    /// Pods that are wanted; nothing means unknown.
    pub wanted: Option<u32>,
    /// Pods that are ready.
    pub ready: u32,
    /// Ready pods that make the revision active.
    pub threshold: u32,
    /// The way to the revision.
    pub path: &'a Path,
}

/// Activity as the status tells it; without a condition, pods have been awaited since `now`.
pub fn activity(status: &PodAutoscalerStatus, now: Timestamp) -> Activity {
    let active = condition::find(&status.conditions, ACTIVE);
    let since = active.and_then(|active| active.last_transition_time.as_ref());
    let since = since.map_or(now, |time| time.0);
    match Truth::of(active) {
        Truth::True | Truth::TrueBecause(..) => Activity::Active(since),
        Truth::False(..) => Activity::Inactive(since),
        Truth::Unknown(..) => Activity::Activating(since),
    }
}

/// Whether the revision has reached its initial scale once.
pub fn is_initialized(status: &PodAutoscalerStatus) -> bool {
    Truth::of(condition::find(&status.conditions, INITIALIZED)).is_true()
}

/// The status after a pass: `before` is the status of the pass before.
pub fn status(
    autoscaler: &PodAutoscaler,
    before: &PodAutoscalerStatus,
    found: &Findings<'_>,
    now: Timestamp,
) -> PodAutoscalerStatus {
    let (service_name, metrics_service_name) = found.path.services();
    let reached = found.ready >= found.threshold && !service_name.is_empty();
    let initialized = match (is_initialized(before), reached) {
        (false, false) => Truth::unknown("", ""),
        (true, _) | (_, true) => Truth::True,
    };
    let verdicts = Verdicts::of(vec![
        (ACTIVE, active(found, &before.conditions)),
        (INITIALIZED, initialized),
        (PATH_READY, found.path.readiness()),
    ]);
    PodAutoscalerStatus {
        observed_generation: autoscaler.metadata.generation,
        conditions: verdicts.merge(&before.conditions, now),
        service_name: service_name.to_owned(),
        metrics_service_name: metrics_service_name.to_owned(),
        desired_scale: desired(found.wanted, before.desired_scale),
        actual_scale: Some(scale(found.ready)),
    }
}

/// Whether `new` says something that others wait for: another generation, or a condition that has
/// changed its status. Numbers, reasons and messages are for people.
pub fn is_news(old: &PodAutoscalerStatus, new: &PodAutoscalerStatus) -> bool {
    let verdicts = |status: &PodAutoscalerStatus| -> Vec<(String, String)> {
        let conditions = status.conditions.iter();
        conditions
            .map(|condition| (condition.type_.clone(), condition.status.clone()))
            .collect()
    };
    old.observed_generation != new.observed_generation || verdicts(old) != verdicts(new)
}

/// Whether all that `new` has to tell beyond `old` is a start that may be over in a moment. Then the pods
/// will be told of, once, and nobody takes the machine from them meanwhile to write that they come.
pub fn is_young_start(
    old: &PodAutoscalerStatus,
    new: &PodAutoscalerStatus,
    now: Timestamp,
) -> bool {
    let starts = match (activity(old, now), activity(new, now)) {
        (Activity::Inactive(_), Activity::Activating(since)) => now.duration_since(since) < UNTOLD,
        _ => false,
    };
    starts && old.observed_generation == new.observed_generation
}

fn active(found: &Findings<'_>, before: &[Condition]) -> Truth {
    if let Path::Foreign(name) = found.path {
        return not_owned("ServerlessService", name);
    }
    let before = Truth::of(condition::find(before, ACTIVE));
    let activating = matches!(before, Truth::Unknown(..));
    match found.wanted {
        Some(0) if activating && found.threshold > 0 => {
            Truth::no("TimedOut", "The target could not be activated.")
        }
        _ if found.wanted == Some(0) || found.threshold == 0 => no_traffic(),
        None if before.is_false() && found.ready < found.threshold => no_traffic(),
        None if before.is_false() => before,
        Some(_) | None if found.ready < found.threshold => Truth::unknown(
            "Queued",
            "Requests to the target are being buffered as resources are provisioned.",
        ),
        Some(_) | None => Truth::True,
    }
}

/// A name that should be ours is taken.
pub(crate) fn not_owned(kind: &str, name: &str) -> Truth {
    let message = format!("There is an existing {kind} {name:?} that we do not own.");
    Truth::no("NotOwned", message)
}

fn no_traffic() -> Truth {
    Truth::no("NoTraffic", "The target is not receiving traffic.")
}

/// Unknown never overwrites a number.
fn desired(wanted: Option<u32>, before: Option<i32>) -> Option<i32> {
    match wanted {
        Some(wanted) => Some(scale(wanted)),
        None => Some(before.unwrap_or(-1)),
    }
}

fn scale(pods: u32) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
