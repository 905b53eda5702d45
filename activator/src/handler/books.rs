//! A request's traces in our books: who is here, which slot it takes, how long it took.

use std::sync::Arc;

use http::{Method, StatusCode};
use prometheus::IntGauge;
use tokio::time::Instant;

use crate::fleet::Known;
use crate::report::Present;
use crate::throttle::Ticket;

/// Open as long as the request is here. Dropping it closes them.
#[derive(Debug)]
pub(super) struct Books {
    known: Arc<Known>,
    method: Method,
    start: Instant,
    status: Option<StatusCode>,
    sent: Option<(Ticket, Active)>,
    _present: Present,
}

#[derive(Debug)]
struct Active(IntGauge);

// === impl Books ===

impl Books {
    pub(super) fn open(
        present: Present,
        known: Arc<Known>,
        method: Method,
        start: Instant,
    ) -> Self {
        Self {
            known,
            method,
            start,
            status: None,
            sent: None,
            _present: present,
        }
    }

    /// The request is with a pod: its slot is taken until the books are closed.
    pub(super) fn sent(&mut self, ticket: Ticket) {
        self.sent = Some((ticket, Active::new(&self.known.metrics.active)));
    }

    /// The answer has begun.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        drop(self.sent.take());
        // Without a status the client left before anybody answered: no answer to count.
        if let Some(status) = self.status {
            self.known
                .metrics
                .answered(&self.method, status, self.start.elapsed());
        }
    }
}

// === impl Active ===

impl Active {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}
