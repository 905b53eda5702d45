//! The last decisions about each revision, so that "why this scale?" has an answer. Decisions
//! that repeat the one before lengthen its line instead of pushing others out.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::decide::{Load, Rule};
use crate::gate::Passage;
use crate::id::RevisionId;

/// Decisions that are kept per revision.
const KEPT: usize = 20;

/// One decision, or several in a row that said the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// When it was first decided so.
    #[serde(with = "text")]
    pub since: Timestamp,
    /// When it was last decided so.
    #[serde(with = "text")]
    pub until: Timestamp,
    /// Decisions in a row that said so.
    pub times: u64,
    /// What was decided, and from what. Inputs are those of the last decision.
    #[serde(flatten)]
    pub account: Account,
}

/// What was decided, and from what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Pods that were ready.
    pub ready: u32,
    /// Pods that the Deployment asked for.
    pub replicas: Option<u32>,
    /// The load.
    pub load: Option<Load>,
    /// Load that one pod should carry.
    pub target: f64,
    /// Pods before the bounds.
    pub by_load: Option<u32>,
    /// The rule that settled the number.
    pub rule: Rule,
    /// How far the revision was let towards zero.
    pub passage: Option<Passage>,
    /// Pods that were wanted in the end.
    pub wanted: Option<u32>,
    /// Pods that were written to the Deployment, if that was necessary.
    pub written: Option<u32>,
    /// Load that would still have found room.
    pub excess_burst: i64,
    /// Whether the revision was in panic.
    pub panicking: bool,
}

impl Account {
    /// Whether a reader would see the same decision: its inputs may differ.
    fn repeats(&self, before: &Self) -> bool {
        let told = |account: &Self| {
            let Account {
                ready,
                replicas,
                by_load,
                rule,
                passage,
                wanted,
                panicking,
                ..
            } = account.clone();
            (ready, replicas, by_load, rule, passage, wanted, panicking)
        };
        self.written.is_none() && told(self) == told(before)
    }
}

/// The last decisions about all revisions.
#[derive(Debug, Default)]
pub struct Histories {
    lines: Mutex<HashMap<RevisionId, VecDeque<Line>>>,
}

impl Histories {
    /// Adds a decision.
    pub fn add(&self, id: &RevisionId, account: Account, now: Timestamp) {
        let mut histories = self.lines.lock();
        let lines = match histories.get_mut(id) {
            Some(lines) => lines,
            None => histories.entry(id.clone()).or_default(),
        };
        match lines.back_mut() {
            Some(last) if account.repeats(&last.account) => {
                let written = last.account.written;
                last.until = now;
                last.times += 1;
                last.account = Account { written, ..account };
            }
            Some(_) | None => {
                if lines.len() == KEPT {
                    lines.pop_front();
                }
                lines.push_back(Line {
                    since: now,
                    until: now,
                    times: 1,
                    account,
                });
            }
        }
    }

    /// The last decisions about a revision, oldest first. Nothing for an unknown revision.
    pub fn of(&self, id: &RevisionId) -> Option<Vec<Line>> {
        self.lines
            .lock()
            .get(id)
            .map(|lines| lines.iter().cloned().collect())
    }

    /// Forgets a revision that is gone.
    pub fn forget(&self, id: &RevisionId) {
        self.lines.lock().remove(id);
    }
}

/// Times as RFC 3339.
mod text {
    use jiff::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Account, Histories, KEPT};
    use crate::decide::{Load, Rule};
    use crate::id::RevisionId;
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    pub(crate) fn account(wanted: u32, stable: f64) -> Account {
        Account {
            ready: 1,
            replicas: Some(1),
            load: Some(Load {
                stable,
                panic: stable,
            }),
            target: 70.0,
            by_load: Some(wanted),
            rule: Rule::Load,
            passage: None,
            wanted: Some(wanted),
            written: None,
            excess_burst: -5,
            panicking: false,
        }
    }

    #[test]
    fn equal_decisions_share_a_line() {
        let (histories, id) = (Histories::default(), RevisionId::new("ns", "hello"));
        histories.add(
            &id,
            Account {
                written: Some(2),
                ..account(2, 80.0)
            },
            at(0),
        );
        histories.add(&id, account(2, 90.0), at(2));
        histories.add(&id, account(3, 150.0), at(4));
        let lines = histories.of(&id).unwrap();
        assert_eq!(lines.len(), 2);
        let first = &lines[0];
        assert_eq!((first.since, first.until, first.times), (at(0), at(2), 2));
        assert_eq!(
            first.account,
            Account {
                written: Some(2),
                ..account(2, 90.0)
            }
        );
    }

    #[test]
    fn the_last_twenty_are_kept_until_the_revision_goes() {
        let (histories, id) = (Histories::default(), RevisionId::new("ns", "hello"));
        (0..50).for_each(|step| histories.add(&id, account(step, 1.0), at(step.into())));
        let lines = histories.of(&id).unwrap();
        assert_eq!((lines.len(), lines[0].account.wanted), (KEPT, Some(30)));
        histories.forget(&id);
        assert_eq!(histories.of(&id), None);
    }

    #[test]
    fn lines_survive_the_wire() {
        let (histories, id) = (Histories::default(), RevisionId::new("ns", "hello"));
        histories.add(&id, account(2, 80.0), at(0));
        let lines = histories.of(&id).unwrap();
        let json = serde_json::to_string(&lines).unwrap();
        assert_eq!(
            serde_json::from_str::<Vec<super::Line>>(&json).unwrap(),
            lines
        );
    }
}
