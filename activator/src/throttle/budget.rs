//! The memory that waiting requests of all revisions may cost together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes that is lent in parts.
#[derive(Debug)]
pub struct Budget {
    free: AtomicUsize,
}

/// A part of a [`Budget`]; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Bytes {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            free: AtomicUsize::new(bytes),
        })
    }

    /// Bytes that are not lent.
    pub fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }

    /// Lends bytes, or None when there are not so many.
    pub(super) fn take(budget: &Arc<Self>, bytes: usize) -> Option<Bytes> {
        let rest = |free: usize| free.checked_sub(bytes);
        budget
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest)
            .ok()?;
        Some(Bytes {
            budget: Arc::clone(budget),
            bytes,
        })
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.budget.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
