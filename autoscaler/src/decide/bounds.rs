//! Fewest and most pods (contract/data-plane 1.7, contract/control-plane 3.4).

use super::{Proposal, Rule, Snapshot, Spec};

/// Fewest and most pods of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Fewest pods; holds only while a route may lead to the revision.
    pub min: u32,
    /// Most pods.
    pub max: Option<u32>,
    /// Fewest pods until the revision has reached them once.
    pub initial: u32,
}

impl Spec {
    /// Fewest pods as it counts now: none for a revision that no route leads to.
    pub fn min_scale(&self) -> u32 {
        if self.reachable { self.bounds.min } else { 0 }
    }

    /// Ready pods that make the revision active: at least one, until it was initialised the
    /// initial scale, which may be zero.
    pub fn active_threshold(&self, initialized: bool) -> u32 {
        let least = if initialized { 1 } else { self.bounds.initial };
        self.min_scale().max(least)
    }
}

/// `known` within the bounds. An unknown number stays unknown, except while the revision is
/// being activated: then it counts as less than any bound.
pub(super) fn apply(spec: &Spec, seen: &Snapshot, known: Option<Proposal>) -> Option<Proposal> {
    let proposal = match known {
        Some(proposal) => proposal,
        None if seen.activating => Proposal {
            pods: 0,
            rule: Rule::NoData,
        },
        None => return None,
    };
    let least = least(spec, seen);
    Some(match spec.bounds.max {
        _ if proposal.pods < least.pods => least,
        Some(max) if proposal.pods > max => Proposal {
            pods: max,
            rule: Rule::MaxScale,
        },
        Some(_) | None => proposal,
    })
}

fn least(spec: &Spec, seen: &Snapshot) -> Proposal {
    let (min, initial) = (spec.min_scale(), spec.bounds.initial);
    let starting = initial > 1 && !seen.initialized && spec.reachable;
    if starting && initial > min {
        return Proposal {
            pods: initial,
            rule: Rule::InitialScale,
        };
    }
    Proposal {
        pods: min,
        rule: Rule::MinScale,
    }
}
