//! Reports about revisions that we have not heard of yet: the first request may be faster than
//! the watch on PodAutoscalers. Kept briefly, and never more than a bounded number.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Sample;
use crate::clock::elapsed;
use crate::id::RevisionId;

/// Longest time that a report waits for its revision.
const LONGEST: Duration = Duration::from_secs(30);
/// Revisions that may wait at once.
const MOST_REVISIONS: usize = 1024;
/// Reports per revision: one a second from a few activators.
const MOST_REPORTS: usize = 64;

type Reports = Vec<(Timestamp, Sample)>;

#[derive(Debug, Default)]
pub(super) struct Early {
    waiting: HashMap<RevisionId, Reports>,
}

impl Early {
    /// Keeps a report. The room is made by forgetting what is too old; when there is none, the
    /// report is lost, and the activator's next one comes within a second.
    pub(super) fn keep(&mut self, id: RevisionId, now: Timestamp, sample: Sample) {
        if self.waiting.len() >= MOST_REVISIONS && !self.waiting.contains_key(&id) {
            self.waiting
                .retain(|_, reports| reports.iter().any(|(at, _)| is_fresh(*at, now)));
            if self.waiting.len() >= MOST_REVISIONS {
                return;
            }
        }
        let reports = self.waiting.entry(id).or_default();
        reports.retain(|(at, _)| is_fresh(*at, now));
        if reports.len() < MOST_REPORTS {
            reports.push((now, sample));
        }
    }

    /// Hands over the reports that are not too old.
    pub(super) fn take(&mut self, id: &RevisionId, now: Timestamp) -> Reports {
        let mut reports = self.waiting.remove(id).unwrap_or_default();
        reports.retain(|(at, _)| is_fresh(*at, now));
        reports
    }
}

fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    elapsed(at, now) < LONGEST
}

#[cfg(test)]
mod tests {
    use super::{Early, MOST_REPORTS, MOST_REVISIONS};
    use crate::id::RevisionId;
    use crate::ledger::Sample;
    use jiff::Timestamp;

    const ONE: Sample = Sample {
        concurrency: 1.0,
        requests: 1.0,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn old_reports_are_forgotten() {
        let (mut early, id) = (Early::default(), RevisionId::new("ns", "a"));
        early.keep(id.clone(), at(0), ONE);
        early.keep(id.clone(), at(20), ONE);
        assert_eq!(early.take(&id, at(40)), [(at(20), ONE)]);
        assert!(early.take(&id, at(40)).is_empty());
    }

    #[test]
    fn there_is_room_for_a_bounded_number() {
        let mut early = Early::default();
        let id = |number: usize| RevisionId::new("ns", number.to_string());
        for number in 0..MOST_REVISIONS + 5 {
            early.keep(id(number), at(0), ONE);
        }
        assert_eq!(early.waiting.len(), MOST_REVISIONS);
        early.keep(id(MOST_REVISIONS), at(60), ONE);
        assert_eq!(early.waiting.len(), 1);
        for _ in 0..MOST_REPORTS + 5 {
            early.keep(id(0), at(60), ONE);
        }
        assert_eq!(early.waiting[&id(0)].len(), MOST_REPORTS);
    }
}
