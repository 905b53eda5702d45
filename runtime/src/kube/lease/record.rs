//! What a Lease says, and what we write to it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::{Value, json};

/// The part of a Lease that decisions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Who holds it; empty: nobody.
    pub(super) holder: String,
    /// How long it holds after the last renewal that was seen. None: the holder does not say.
    pub(super) duration: Option<Duration>,
    /// How often it has changed hands.
    pub(super) transitions: i32,
    /// Changes with every write.
    pub(super) version: String,
}

/// What to make of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It becomes ours, or stays ours after a pause that nobody used.
    Claim,
    /// It stays ours.
    Renew,
    /// It becomes nobody's.
    Vacate,
}

// === impl Record ===

impl Record {
    pub(super) fn of(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds;
        let duration = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            holder: spec.holder_identity.unwrap_or_default(),
            duration: duration.map(Duration::from_secs),
            transitions: spec.lease_transitions.unwrap_or_default(),
            version: version(lease).to_owned(),
        }
    }

    /// The merge patch that makes `change`, provided that nobody else has written since.
    pub(super) fn patch(
        &self,
        change: Change,
        me: &str,
        duration: Duration,
        now: Timestamp,
    ) -> Value {
        let mut spec = match change {
            Change::Claim | Change::Renew => json!({
                "holderIdentity": me,
                "leaseDurationSeconds": whole_seconds(duration),
                "renewTime": MicroTime(now),
            }),
            // As client-go leaves it: to the shortest duration there is, so nobody waits for it.
            Change::Vacate => json!({
                "holderIdentity": "",
                "leaseDurationSeconds": 1,
                "renewTime": MicroTime(now),
            }),
        };
        if change == Change::Claim {
            let moved = i32::from(self.holder != me);
            spec["acquireTime"] = json!(MicroTime(now));
            spec["leaseTransitions"] = json!(self.transitions.saturating_add(moved));
        }
        json!({ "metadata": { "resourceVersion": self.version }, "spec": spec })
    }
}

/// The lease that does not exist yet.
pub(super) fn new_lease(name: &str, me: &str, duration: Duration, now: Timestamp) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.name = Some(name.to_owned());
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: Some(whole_seconds(duration)),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(0),
        ..LeaseSpec::default()
    });
    lease
}

/// Its resource version.
pub(super) fn version(lease: &Lease) -> &str {
    lease
        .metadata
        .resource_version
        .as_deref()
        .unwrap_or_default()
}

/// Whether the version `a` was written before `b`. Versions that are no numbers are never older:
/// what comes last then counts.
pub(super) fn is_older(a: &str, b: &str) -> bool {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a < b,
        _ => false,
    }
}

/// Rounded up: others must not think that a lease expires before it does.
fn whole_seconds(duration: Duration) -> i32 {
    let more = u64::from(duration.subsec_nanos() > 0);
    i32::try_from(duration.as_secs() + more)
        .unwrap_or(i32::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::json;

    use super::{Change, Record, is_older, new_lease};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn record() -> Record {
        Record {
            holder: "a_1".to_owned(),
            duration: Some(Duration::from_secs(15)),
            transitions: 4,
            version: "77".to_owned(),
        }
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let lease = new_lease("x", "me_1", Duration::from_millis(14_001), NOW);
        let read = Record::of(&lease);
        assert_eq!((read.holder.as_str(), read.transitions), ("me_1", 0));
        assert_eq!(read.duration, Some(Duration::from_secs(15)));
    }

    #[test]
    fn a_claim_counts_the_hands_and_names_the_version() {
        let patch = record().patch(Change::Claim, "me_1", Duration::from_secs(15), NOW);
        assert_eq!(
            patch,
            json!({
                "metadata": { "resourceVersion": "77" },
                "spec": {
                    "holderIdentity": "me_1",
                    "leaseDurationSeconds": 15,
                    "leaseTransitions": 5,
                    "acquireTime": "1970-01-01T00:00:00.000000Z",
                    "renewTime": "1970-01-01T00:00:00.000000Z",
                }
            })
        );
        let again = record().patch(Change::Claim, "a_1", Duration::from_secs(15), NOW);
        assert_eq!(again["spec"]["leaseTransitions"], 4);
    }

    #[test]
    fn a_renewal_leaves_hands_alone_and_a_vacated_lease_has_no_holder() {
        let renewed = record().patch(Change::Renew, "a_1", Duration::from_secs(15), NOW);
        assert_eq!(renewed["spec"].get("leaseTransitions"), None);
        assert_eq!(renewed["spec"].get("acquireTime"), None);
        let vacated = record().patch(Change::Vacate, "a_1", Duration::from_secs(15), NOW);
        assert_eq!(vacated["spec"]["holderIdentity"], "");
        assert_eq!(vacated["spec"]["leaseDurationSeconds"], 1);
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(is_older("9", "10"));
        assert!(!is_older("10", "10"));
        assert!(!is_older("10", "9"));
        assert!(!is_older("old", "10"));
    }
}
