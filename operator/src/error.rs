//! Why a reconcile did not finish, and when it is tried again.

use std::time::Duration;

use rand::RngExt;
use runtime::kube::apply::ApplyError;

/// A reconcile that did not finish. User mistakes are statuses, not errors.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// A child or a status could not be written.
    #[error(transparent)]
    Write(#[from] ApplyError),
    /// The API server could not be asked.
    #[error("can't ask the API server")]
    Request(#[from] kube::Error),
    /// What was read does not fit together yet: `what` names it.
    #[error("{what}")]
    NotYet {
        /// What is missing, for the log.
        what: String,
    },
}

impl ReconcileError {
    /// Whether the object's namespace is being deleted, so that no try could ever succeed.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self, Self::Write(ApplyError::Ending { .. }))
    }

    /// Whether nothing has gone wrong: something else must come first.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self, Self::NotYet { .. })
    }

    /// Whether it was the object of that kind and name that could not be written.
    pub(crate) fn is_about(&self, kind: &str, name: &str) -> bool {
        matches!(self, Self::Write(error) if error.object() == (kind, name))
    }
}

/// First pause after a failure.
const FIRST: Duration = Duration::from_millis(50);
/// Longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(60);

/// Pause before the try after `failures` failures in a row: doubles from 50 ms to 60 s, and half
/// of it is by chance, so that objects that failed together don't come back together.
pub(crate) fn backoff(failures: u32) -> Duration {
    jittered(failures, rand::rng().random_range(0.0..1.0))
}

fn jittered(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32 << failures.min(16));
    doubled.min(LONGEST).mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, jittered};
    use std::time::Duration;

    #[test]
    fn pauses_double_up_to_a_minute() {
        assert_eq!(jittered(0, 1.0), Duration::from_millis(50));
        assert_eq!(jittered(1, 1.0), Duration::from_millis(100));
        assert_eq!(jittered(3, 0.0), Duration::from_millis(200));
        assert_eq!(jittered(60, 1.0), LONGEST);
    }
}
