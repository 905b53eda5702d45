//! A lease with what hangs on it, and the set it belongs to.

use crds::config::LeaderElectionConfig;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

use crate::kube::lease::part::Part;
use crate::kube::lease::record::Record;
use crate::kube::lease::seat::Seat;
use crate::kube::lease::share::{Board, Share};
use crate::kube::lease::term::{Tenure, Term};

/// Work that is shared on its own.
#[derive(Debug)]
pub(super) struct Set {
    /// What its leases begin with, unless the settings say otherwise.
    given_stem: String,
    /// What its leases begin with.
    pub(super) stem: String,
    /// How many it has.
    pub(super) parts: u32,
    /// Leases of another cut were held a short time ago: none of ours may be claimed before.
    pub(super) crowded_until: Option<Instant>,
    board: watch::Sender<Board>,
}

/// One lease.
#[derive(Debug)]
pub(super) struct Chair {
    pub(super) seat: Seat,
    /// Index of its set.
    pub(super) set: usize,
    pub(super) part: Part,
    /// Whether its name is one that is not in use any more.
    pub(super) old: bool,
    /// Whether a request for it is under way.
    pub(super) busy: bool,
    /// While it is ours.
    pub(super) tenure: Option<Tenure>,
    /// While it is being given away: work goes on, but none begins.
    pub(super) ending: Option<Tenure>,
}

// === impl Set ===

impl Set {
    pub(super) fn new(stem: &str) -> (Self, Share) {
        let (board, share) = watch::channel(Board::default());
        let set = Self {
            given_stem: stem.to_owned(),
            stem: String::new(),
            parts: 0,
            crowded_until: None,
            board,
        };
        (set, Share::new(share))
    }

    /// Takes over names and number of the leases. False when they are as before; else nothing of
    /// the set is shown as ours any more.
    pub(super) fn cut(&mut self, config: &LeaderElectionConfig) -> bool {
        let stem = config.lease_stem(&self.given_stem);
        if (&stem, config.buckets) == (&self.stem, self.parts) {
            return false;
        }
        self.stem = stem;
        self.parts = config.buckets;
        self.board.send_replace(Board::of(self.parts));
        true
    }

    /// Shows everybody how the lease stands.
    pub(super) fn show(&self, chair: &Chair) {
        if chair.old {
            return;
        }
        let term = chair.tenure.as_ref().map(Tenure::term);
        self.board.send_if_modified(|board| {
            let Some(entry) = board.entry_mut(chair.part) else {
                return false;
            };
            let same_term = entry.term.as_ref().map(Term::id) == term.as_ref().map(Term::id);
            if same_term && entry.holder.as_deref() == chair.seat.holder() {
                return false;
            }
            entry.holder = chair.seat.holder().map(str::to_owned);
            entry.term = term;
            true
        });
    }
}

// === impl Chair ===

impl Chair {
    pub(super) fn new(set: usize, part: Part, seen: Option<Record>, now: Instant) -> Self {
        Self {
            seat: Seat::new(seen, now),
            set,
            part,
            old: false,
            busy: false,
            tenure: None,
            ending: None,
        }
    }

    /// No work under it from now on, not even what has begun.
    pub(super) fn release(&mut self) {
        self.tenure = None;
        self.ending = None;
        self.seat.released();
    }

    /// Whether there is nothing to do for it ever again.
    pub(super) fn is_empty_and_old(&self) -> bool {
        self.old && !self.busy && !self.seat.is_held() && self.seat.holder().is_none()
    }

    /// The lease is ours, for longer than before: work may begin, or go on.
    pub(super) fn hold(&mut self, name: &str, terms: &mut u64) {
        let Some(until) = self.seat.held_until() else {
            return;
        };
        if let Some(tenure) = &self.tenure {
            tenure.extend(until);
        } else {
            info!(lease = name, "holds a lease");
            *terms += 1;
            self.tenure = Some(Tenure::new(*terms, until));
        }
    }
}
