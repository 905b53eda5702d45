//! What a status says when a pass over a new generation did not come to a verdict
//! (contract/control-plane 0.5): the verdict on the old generation must not stand for the new one.

use crds::condition::{Condition, Truth, Verdicts};
use jiff::Timestamp;

/// The conditions to store, or None when the status already speaks of this generation: what it
/// says is then left as it is.
pub(crate) fn conditions(
    old: &[Condition],
    observed: Option<i64>,
    generation: Option<i64>,
    now: Timestamp,
) -> Option<Vec<Condition>> {
    let marker = Truth::unknown(
        "NewObservedGenFailure",
        "unsuccessfully observed a new generation",
    );
    (observed != generation).then(|| Verdicts::only_ready(marker).merge(old, now))
}

#[cfg(test)]
mod tests {
    use super::conditions;
    use crds::condition::{Truth, Verdicts, find};
    use jiff::Timestamp;

    #[test]
    fn only_a_new_generation_loses_its_ready() {
        let old = Verdicts::of(vec![("A", Truth::True)]).merge(&[], Timestamp::UNIX_EPOCH);
        assert_eq!(
            conditions(&old, Some(2), Some(2), Timestamp::UNIX_EPOCH),
            None
        );
        let new = conditions(&old, Some(1), Some(2), Timestamp::UNIX_EPOCH).unwrap();
        let ready = Truth::of(find(&new, "Ready")).to_string();
        assert_eq!(
            ready,
            "Unknown NewObservedGenFailure: unsuccessfully observed a new generation"
        );
        assert_eq!(Truth::of(find(&new, "A")), Truth::True);
    }
}
