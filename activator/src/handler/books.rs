//! A request's traces in our books: who is here, which slot it takes, how long it took.

use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use runtime::metrics::{Answer, Exchange, method, status};
use tokio::time::Instant;

use crate::fleet::Known;
use crate::metrics::RevisionMetrics;
use crate::report::Present;
use crate::throttle::Ticket;

/// Open as long as the request is here. Dropping it closes them.
#[derive(Debug)]
pub(super) struct Books {
    known: Arc<Known>,
    method: &'static str,
    start: Instant,
    request_bytes: Option<u64>,
    /// What the client gets, and the bytes of its body if the head tells them.
    answer: Option<(Answer, Option<u64>)>,
    sent: Option<(Ticket, Active)>,
    _present: Present,
}

/// A request that is with a pod, until this is dropped.
#[derive(Debug)]
pub(super) struct Active {
    metrics: Arc<RevisionMetrics>,
    since: Instant,
}

// === impl Books ===

impl Books {
    pub(super) fn open<B: Body>(
        present: Present,
        known: Arc<Known>,
        request: &Request<B>,
        start: Instant,
    ) -> Self {
        Self {
            known,
            method: method(request.method()),
            start,
            request_bytes: request.body().size_hint().exact(),
            answer: None,
            sent: None,
            _present: present,
        }
    }

    /// The request is with a pod: its slot is taken until the books are closed.
    pub(super) fn sent(&mut self, ticket: Ticket, active: Active) {
        self.sent = Some((ticket, active));
    }

    /// The answer has begun.
    pub(super) fn answered<B: Body>(&mut self, response: &Response<B>) {
        let answer = Answer {
            method: self.method,
            status: status(response.status()),
        };
        self.answer = Some((answer, response.body().size_hint().exact()));
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        let forwarded = self.sent.take().map(|(_, active)| active.since.elapsed());
        // Without an answer the client left before there was one: nothing to count.
        let Some((answer, response_bytes)) = self.answer else {
            return;
        };
        let metrics = &self.known.metrics;
        if let Some(took) = forwarded {
            metrics.forwarded(answer, took);
        }
        metrics.answered(&Exchange {
            answer,
            took: self.start.elapsed(),
            request_bytes: self.request_bytes,
            response_bytes,
        });
    }
}

// === impl Active ===

impl Active {
    pub(super) fn new(metrics: &Arc<RevisionMetrics>, since: Instant) -> Self {
        metrics.active.inc();
        Self {
            metrics: Arc::clone(metrics),
            since,
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.metrics.active.dec();
    }
}
