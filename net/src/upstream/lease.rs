//! A response's body that holds its connection, and gives it back.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{body::Incoming, client::conn::http1};

use super::pool::{Pool, Stream};
use crate::body::Body;

/// What a response holds until its body has ended.
pub(super) enum Lease {
    Http1 {
        pool: Arc<Pool>,
        sender: http1::SendRequest<Body>,
    },
    Http2 {
        /// Counts as a stream of its connection.
        _stream: Stream,
    },
}

/// A response's body from a pooled connection.
pub struct Leased {
    incoming: Incoming,
    lease: Option<Lease>,
}

// === impl Lease ===

impl Lease {
    pub(super) fn http1(pool: &Arc<Pool>, sender: http1::SendRequest<Body>) -> Self {
        Self::Http1 {
            pool: Arc::clone(pool),
            sender,
        }
    }

    pub(super) fn http2(stream: Stream) -> Self {
        Self::Http2 { _stream: stream }
    }

    fn release(self) {
        match self {
            Self::Http1 { pool, sender } => Pool::put(&pool, sender),
            Self::Http2 { .. } => {}
        }
    }
}

// === impl Leased ===

impl Leased {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut leased = Self {
            incoming,
            lease: Some(lease),
        };
        leased.release_if(leased.incoming.is_end_stream());
        leased
    }

    fn release_if(&mut self, ended: bool) {
        if ended && let Some(lease) = self.lease.take() {
            lease.release();
        }
    }
}

impl HttpBody for Leased {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) => {
                let ended = self.incoming.is_end_stream();
                self.release_if(ended);
            }
            Poll::Ready(None) => self.release_if(true),
            Poll::Ready(Some(Err(_))) => drop(self.lease.take()),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl std::fmt::Debug for Leased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leased").finish_non_exhaustive()
    }
}
