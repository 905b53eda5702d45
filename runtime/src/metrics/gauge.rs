use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How many there are now.
#[derive(Debug, Default)]
pub struct Count(AtomicI64);

/// How much there is now.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

// === impl Count ===

impl Count {
    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

// === impl Level ===

impl Level {
    /// From now on.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// How much.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}
