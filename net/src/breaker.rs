//! The hard limit of a pod: so many requests in the app, so many waiting in order of arrival, and
//! the next one is turned away at once (contract/data-plane 3.3).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// A limit and a bounded line in front of it. Clones share it.
#[derive(Clone, Debug)]
pub struct Breaker {
    slots: Arc<Semaphore>,
    /// Who is inside: in a slot or in the line.
    inside: Arc<AtomicUsize>,
    limit: usize,
    capacity: usize,
    /// Somebody began to wait.
    waiting: watch::Sender<()>,
}

/// The right to one slot. Dropping it lets the next one in.
#[derive(Debug)]
pub struct Permit {
    // Order matters: the slot is free before the place is.
    _slot: OwnedSemaphorePermit,
    _place: Place,
}

/// Slots and line are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("pending request queue full")]
pub struct Full;

/// A place inside.
#[derive(Debug)]
struct Place {
    inside: Arc<AtomicUsize>,
}

// === impl Breaker ===

impl Breaker {
    /// At most `limit` permits (one at least) at a time, at most `queue_depth` waiting.
    pub fn new(limit: usize, queue_depth: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            slots: Arc::new(Semaphore::new(limit)),
            inside: Arc::default(),
            limit,
            capacity: limit.saturating_add(queue_depth),
            waiting: watch::Sender::new(()),
        }
    }

    /// Waits for a slot, first come, first served. Dropping the future leaves the line.
    ///
    /// # Errors
    /// At once, when the line is full.
    pub async fn acquire(&self) -> Result<Permit, Full> {
        let place = self.enter()?;
        // Who waits is served before: a slot that can be had at once is nobody's.
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let slot = Arc::clone(&self.slots).acquire_owned();
                self.waiting.send_replace(());
                // The semaphore is never closed; were it, nobody could be let in.
                slot.await.map_err(|_| Full)?
            }
        };
        Ok(Permit {
            _slot: slot,
            _place: place,
        })
    }

    /// Permits that are out.
    pub fn in_flight(&self) -> usize {
        self.limit.saturating_sub(self.slots.available_permits())
    }

    /// Who waits.
    pub fn queued(&self) -> usize {
        self.inside
            .load(Ordering::Relaxed)
            .saturating_sub(self.in_flight())
    }

    /// Ends when somebody waits.
    pub async fn wanted(&self) {
        let mut waiting = self.waiting.subscribe();
        while self.queued() == 0 {
            // The sender lives as long as `self`.
            let _ = waiting.changed().await;
        }
    }

    fn enter(&self) -> Result<Place, Full> {
        let one_more = |inside: usize| (inside < self.capacity).then_some(inside + 1);
        match self
            .inside
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more)
        {
            Ok(_) => Ok(Place {
                inside: Arc::clone(&self.inside),
            }),
            Err(_) => Err(Full),
        }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
