//! Panic: after sudden load, a revision does not shrink for one stable window.

use std::time::Duration;

use jiff::Timestamp;

use super::{Proposal, Rule};
use crate::clock::elapsed;

/// Whether the load came suddenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panic {
    /// No.
    Calm,
    /// Yes; last seen `since`, and at most `most` pods were wanted meanwhile.
    On { since: Timestamp, most: u32 },
}

impl Panic {
    /// From now on: the panic of whoever begins to care for a revision with `ready` pods. More than
    /// one were wanted by somebody who knew the load, and stay for one stable window.
    pub(super) fn begin(self, ready: u32, now: Timestamp) -> Self {
        match self {
            _ if ready <= 1 => self,
            Self::Calm => Self::On {
                since: now,
                most: ready,
            },
            Self::On { most, .. } => Self::On {
                since: now,
                most: most.max(ready),
            },
        }
    }

    pub(super) fn is_on(self) -> bool {
        matches!(self, Self::On { .. })
    }

    /// Calm => On when the load is `over` the threshold; On => On (extended) while it is; On =>
    /// Calm one stable window after it was last over.
    pub(super) fn next(self, over: bool, stable_window: Duration, now: Timestamp) -> Self {
        match self {
            Self::Calm if over => Self::On {
                since: now,
                most: 0,
            },
            Self::On { most, .. } if over => Self::On { since: now, most },
            Self::On { since, .. } if elapsed(since, now) > stable_window => Self::Calm,
            Self::Calm | Self::On { .. } => self,
        }
    }

    /// Calm: the steady number. On: the larger of both, and never less than before.
    pub(super) fn bound(&mut self, steady: Proposal, sudden: Proposal) -> Proposal {
        let Self::On { most, .. } = self else {
            return steady;
        };
        let larger = if sudden.pods > steady.pods {
            sudden
        } else {
            steady
        };
        if larger.pods < *most {
            return Proposal {
                pods: *most,
                rule: Rule::PanicHold,
            };
        }
        *most = larger.pods;
        larger
    }
}
