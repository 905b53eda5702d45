//! Health that can be told to fail.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One thing that can be well or not.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failing: AtomicBool,
    asked: AtomicUsize,
}

impl Health {
    /// From now on it is not well.
    pub(crate) fn fail(&self) {
        self.failing.store(true, Ordering::Relaxed);
    }

    /// From now on it is well.
    pub(crate) fn recover(&self) {
        self.failing.store(false, Ordering::Relaxed);
    }

    /// Whether it is well, and how often that was asked.
    pub(crate) fn ask(&self) -> (bool, usize) {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        (!self.failing.load(Ordering::Relaxed), asked)
    }
}
