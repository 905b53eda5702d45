//! scale-down-delay: the largest number of the last while holds.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Proposal, Rule, TICK};

/// Largest proposal of each tick, by its number since the epoch. Holds as many ticks as the
/// delay has, so at most 1,800 for the longest delay of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delay {
    ticks: BTreeMap<i64, u32>,
}

impl Delay {
    /// Remembers `proposal`, and answers with the largest of the last `delay`.
    pub(super) fn bound(
        &mut self,
        proposal: Proposal,
        delay: Duration,
        now: Timestamp,
    ) -> Proposal {
        let length = TICK.as_secs() as i64;
        let tick = now.as_second().div_euclid(length);
        let kept = delay.as_secs_f64() / TICK.as_secs_f64();
        self.ticks = self.ticks.split_off(&(tick - kept.ceil() as i64 + 1));
        let slot = self.ticks.entry(tick).or_default();
        *slot = proposal.pods.max(*slot);
        match self.ticks.values().max() {
            Some(&pods) if pods > proposal.pods => Proposal {
                pods,
                rule: Rule::ScaleDownDelay,
            },
            _ => proposal,
        }
    }
}
