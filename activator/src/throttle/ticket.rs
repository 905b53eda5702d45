//! The right to send one request to a pod.

use std::sync::Arc;

use http::HeaderMap;
use net::contract::header;

use super::loans::Loan;
use super::{Backend, Start, Throttle, Turn};

/// The right to send one request to a pod. Dropping it frees the slot.
#[derive(Debug)]
pub struct Ticket {
    pub(super) throttle: Option<Arc<Throttle>>,
    pub(super) backend: Arc<Backend>,
    pub(super) turn: Turn,
    pub(super) start: Start,
    pub(super) loan: Option<Loan>,
}

// === impl Ticket ===

impl Ticket {
    /// The pod to send to.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// Whether there was a pod when the request came.
    pub fn start(&self) -> Start {
        self.start
    }

    /// The place in the line, to go back to if the pod never took the request.
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// Tells the pod which of its slots the request uses; another attempt's word is forgotten.
    pub fn name_slot(&self, headers: &mut HeaderMap) {
        match &self.loan {
            Some(loan) => headers.insert(header::SLOT, loan.id().clone()),
            None => headers.remove(header::SLOT),
        };
    }

    /// Frees the slot without looking for who could use it: the caller looks.
    pub(super) fn surrender(mut self) {
        self.throttle = None;
        self.backend.free(self.loan.take(), 0);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(throttle) = self.throttle.take() {
            throttle.release(&self.backend, self.loan.take());
        }
    }
}
