//! The body that travels through us: whatever it is made of, without an allocation per frame.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use thiserror::Error;

use crate::upstream::Leased;

mod received;

pub use received::Received;

/// Why a body ended early.
#[derive(Debug, Error)]
pub enum BodyError {
    /// The peer that sends the body failed.
    #[error("body was cut off by its sender")]
    Sender(#[from] hyper::Error),
    /// A deadline passed and the length was already promised, so the body can't end cleanly.
    #[error("{0}")]
    TimedOut(&'static str),
    /// The request goes elsewhere: this copy of it ends here.
    #[error("the request was taken back")]
    TakenBack,
    /// A wrapped body failed.
    #[error("body failed")]
    Wrapped(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A body that was wrapped by someone who needs dynamic dispatch.
pub type BoxedBody = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

/// A request's or a response's body.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// One frame.
    Full(Bytes),
    /// From a client.
    Received(Received),
    /// From a pooled connection, which goes back to its pool when the body has ended.
    Leased(Leased),
    /// Anything else.
    Boxed(BoxedBody),
}

// === impl Body ===

impl Body {
    /// Wraps any body; costs one allocation.
    pub fn boxed<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self::Boxed(Box::pin(body))
    }

    fn full_frame(bytes: &mut Bytes) -> Option<Frame<Bytes>> {
        let bytes = std::mem::take(bytes);
        (!bytes.is_empty()).then(|| Frame::data(bytes))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Self::full_frame(bytes).map(Ok)),
            Self::Received(received) => Pin::new(received).poll_frame(cx).map_err(BodyError::from),
            Self::Leased(leased) => Pin::new(leased).poll_frame(cx).map_err(BodyError::from),
            Self::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Received(received) => received.is_end_stream(),
            Self::Leased(leased) => leased.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Received(received) => received.size_hint(),
            Self::Leased(leased) => leased.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Body::Empty",
            Self::Full(_) => "Body::Full",
            Self::Received(_) => "Body::Received",
            Self::Leased(_) => "Body::Leased",
            Self::Boxed(_) => "Body::Boxed",
        })
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            Self::Empty
        } else {
            Self::Received(Received::new(incoming))
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Full(text.into())
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::Full(Bytes::from_static(text.as_bytes()))
    }
}

// === Guarded ===

pin_project! {
    /// A body that keeps `guard` alive until the last frame was taken, or until it is dropped.
    #[derive(Debug)]
    pub struct Guarded<B, G> {
        #[pin]
        body: B,
        guard: Option<G>,
    }
}

impl<B: HttpBody, G> Guarded<B, G> {
    /// Drops `guard` at once if `body` has nothing to say.
    pub fn new(body: B, guard: G) -> Self {
        let guard = (!body.is_end_stream()).then_some(guard);
        Self { body, guard }
    }

    /// Guards nothing.
    pub fn free(body: B) -> Self {
        Self { body, guard: None }
    }
}

impl<B: HttpBody, G> HttpBody for Guarded<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = this.body.as_mut().poll_frame(cx);
        let ended = match &polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => this.body.is_end_stream(),
            Poll::Ready(Some(Err(_)) | None) => true,
        };
        if ended {
            drop(this.guard.take());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
