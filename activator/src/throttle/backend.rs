//! A pod, as the line of its revision sees it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use net::upstream::Upstream;

use super::loans::{Borrowed, Loan, Loans};

/// A pod that gets requests.
#[derive(Debug)]
pub struct Backend {
    upstream: Arc<Upstream>,
    in_flight: AtomicU32,
    /// None for a pod whose slots are counted here only.
    loans: Option<Arc<Loans>>,
}

// === impl Backend ===

impl Backend {
    /// A pod behind `upstream`, without requests. If it has a limit, its slots are counted here.
    pub fn new(upstream: Arc<Upstream>) -> Arc<Self> {
        Self::with(upstream, None)
    }

    /// The same for a pod that lends its slots, if it has a limit.
    pub fn lending(upstream: Arc<Upstream>) -> Arc<Self> {
        Self::with(upstream, Some(Arc::default()))
    }

    fn with(upstream: Arc<Upstream>, loans: Option<Arc<Loans>>) -> Arc<Self> {
        Arc::new(Self {
            upstream,
            in_flight: AtomicU32::new(0),
            loans,
        })
    }

    /// Its connections.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Requests that this replica has there.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn loans(&self) -> Option<&Arc<Loans>> {
        self.loans.as_ref()
    }

    /// Whether a request could go there.
    pub(super) fn has_room(&self, limit: Option<NonZeroU32>) -> bool {
        match (limit, &self.loans) {
            (None, _) => true,
            (Some(limit), None) => self.in_flight() < limit.get(),
            (Some(limit), Some(loans)) => loans.have_room(self.in_flight(), limit.get()),
        }
    }

    /// Its request has ended, or never began. `waiting` is how many others need a slot here.
    pub(super) fn free(&self, loan: Option<Loan>, waiting: usize) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let (Some(loan), Some(loans)) = (loan, &self.loans) {
            loans.put_back(loan, waiting);
        }
    }

    /// A request goes there, with a slot if one was lent.
    pub(super) fn occupy(&self, limit: Option<NonZeroU32>) -> Option<Loan> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.loans.as_ref().filter(|_| limit.is_some())?.take()
    }

    /// What was borrowed there; None if it lends nothing. `seed` makes the order of all pods.
    pub(super) fn borrowed(&self, seed: u64) -> Option<Borrowed> {
        let mut hasher = DefaultHasher::new();
        (seed, self.upstream.addr()).hash(&mut hasher);
        self.loans.as_ref()?.borrowed(hasher.finish())
    }
}
