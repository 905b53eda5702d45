//! Keeps a request while it is not known whether an app has it: a pod whose app is gone gives it back
//! ([`NOT_REACHED`]), and it goes to another one.
//!
//! The head is copied, and of the body what has been read so far, up to [`MOST`]; the copies share
//! their bytes with what is sent. A longer body can't be sent again: for such a request the pod
//! waits until its app is back.
//!
//! [`NOT_REACHED`]: crate::contract::header::NOT_REACHED

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;

use crate::body::{Body, BodyError};

/// The longest body that is kept.
pub const MOST: usize = 64 * 1024;

/// What is needed to send a request again. Dropping it forgets what was read of the body.
#[derive(Debug)]
pub struct Original {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// None for a request without a body.
    source: Option<Arc<Source>>,
}

#[derive(Debug)]
struct Source {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None once it was taken back.
    body: Option<Body>,
    memory: Memory,
}

/// What was read of the body.
#[derive(Debug)]
enum Memory {
    /// All of it, in order.
    Whole {
        frames: VecDeque<Kept>,
        bytes: usize,
    },
    /// It was too long, or nobody wants it any more.
    Lost,
}

#[derive(Clone, Debug)]
enum Kept {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The body that is sent.
struct Sent(Arc<Source>);

/// What was read before, then the rest.
struct Again {
    frames: VecDeque<Kept>,
    rest: Body,
}

/// Whether a body of this length is kept, whatever comes of it.
pub fn is_kept(body: &impl HttpBody) -> bool {
    let most = body.size_hint().upper();
    most.is_some_and(|bytes| bytes <= MOST as u64)
}

// === impl Original ===

impl Original {
    /// The request to send, and what is needed to send it again.
    pub fn of(request: Request<Body>) -> (Self, Request<Body>) {
        let (head, body) = request.into_parts();
        let (source, body) = if body.is_end_stream() {
            (None, body)
        } else {
            let source = Arc::new(Source::new(body));
            (Some(Arc::clone(&source)), Body::boxed(Sent(source)))
        };
        let original = Self {
            method: head.method.clone(),
            uri: head.uri.clone(),
            headers: head.headers.clone(),
            source,
        };
        (original, Request::from_parts(head, body))
    }

    /// The request as it was; None if too much of its body is gone. What was sent ends.
    pub fn take_back(mut self) -> Option<Request<Body>> {
        let body = match self.source.take() {
            Some(source) => source.take_back()?,
            None => Body::Empty,
        };
        let mut request = Request::new(body);
        *request.method_mut() = std::mem::take(&mut self.method);
        *request.uri_mut() = std::mem::take(&mut self.uri);
        *request.headers_mut() = std::mem::take(&mut self.headers);
        Some(request)
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        if let Some(source) = &self.source {
            source.state.lock().memory = Memory::Lost;
        }
    }
}

// === impl Source ===

impl Source {
    fn new(body: Body) -> Self {
        let memory = Memory::Whole {
            frames: VecDeque::new(),
            bytes: 0,
        };
        let state = State {
            body: Some(body),
            memory,
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn take_back(&self) -> Option<Body> {
        let mut state = self.state.lock();
        let memory = std::mem::replace(&mut state.memory, Memory::Lost);
        let Memory::Whole { frames, .. } = memory else {
            return None;
        };
        let rest = state.body.take()?;
        Some(if frames.is_empty() {
            rest
        } else {
            Body::boxed(Again { frames, rest })
        })
    }
}

// === impl State ===

impl State {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Some(Err(BodyError::TakenBack)));
        };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.memory.keep(frame),
            // What broke off can't be sent again as a whole.
            Poll::Ready(Some(Err(_))) => self.memory = Memory::Lost,
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }
}

// === impl Memory ===

impl Memory {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Self::Whole { frames, bytes } = self else {
            return;
        };
        *bytes += frame.data_ref().map_or(0, Bytes::len);
        if *bytes > MOST {
            *self = Self::Lost;
        } else if let Some(data) = frame.data_ref() {
            frames.push_back(Kept::Data(data.clone()));
        } else if let Some(trailers) = frame.trailers_ref() {
            frames.push_back(Kept::Trailers(trailers.clone()));
        }
    }
}

// === impl Kept ===

impl Kept {
    fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(_) => 0,
        }
    }
}

impl From<Kept> for Frame<Bytes> {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Data(data) => Self::data(data),
            Kept::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}

// === impl Sent ===

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.state.lock().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.state.lock();
        state.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.0.state.lock();
        state
            .body
            .as_ref()
            .map(HttpBody::size_hint)
            .unwrap_or_default()
    }
}

// === impl Again ===

impl HttpBody for Again {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.frames.pop_front() {
            Some(kept) => Poll::Ready(Some(Ok(kept.into()))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let before: usize = self.frames.iter().map(Kept::len).sum();
        let (before, rest) = (before as u64, self.rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(before));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(before));
        }
        hint
    }
}

#[cfg(test)]
mod tests;
