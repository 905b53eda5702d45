//! How long a request may take: in all, until its answer begins, and between two pieces of the
//! answer (contract/data-plane 3.4).
//!
//! Before the first byte, an expired limit is a 504. After it the status has gone out: the text is
//! appended and the body ends without an error, so that a client that reads to the end sees why
//! (contract/control-plane 4.11). Only where the length was promised the body has to fail.
//! Upgraded connections have the same limits, see [`Patience`].

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::{
    body::BodyError,
    tunnel::{Patience, Tunnel},
};

/// Limits of a revision; None is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Until the end of the answer.
    pub total: Option<Duration>,
    /// Until the first byte of the answer.
    pub response_start: Option<Duration>,
    /// Between two pieces of the answer, and before the first one.
    pub idle: Option<Duration>,
}

/// The limits of one request, which has started.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    limits: Limits,
    start: Instant,
    text: &'static str,
}

/// A limit passed before the answer began; the text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct TimedOut(pub &'static str);

pin_project! {
    /// A body that ends when its time is over.
    pub struct Timed<B> {
        #[pin]
        body: B,
        #[pin]
        timer: Option<Sleep>,
        total: Option<Instant>,
        idle: Option<Duration>,
        text: &'static str,
        state: State,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Frames pass.
    Open,
    /// A frame passed: the next wait starts the idle time anew.
    Passed,
    /// The text has been said.
    Over,
}

// === impl Limits ===

impl Limits {
    /// From the numbers in the environment, where 0 is no limit.
    pub fn from_seconds(total: u64, response_start: u64, idle: u64) -> Self {
        let limit = |seconds| (seconds > 0).then(|| Duration::from_secs(seconds));
        Self {
            total: limit(total),
            response_start: limit(response_start),
            idle: limit(idle),
        }
    }
}

// === impl Deadline ===

impl Deadline {
    /// The clock of a request; `text` is what a client is told when a limit has passed.
    pub fn new(limits: Limits, start: Instant, text: &'static str) -> Self {
        Self {
            limits,
            start,
            text,
        }
    }

    /// When the answer must have begun. The time in the line counts.
    pub fn head(&self) -> Option<Instant> {
        let Limits {
            total,
            response_start,
            idle,
        } = self.limits;
        let first = [total, response_start, idle].into_iter().flatten().min();
        first.map(|limit| self.start + limit)
    }

    /// When all must be over.
    pub fn total(&self) -> Option<Instant> {
        self.limits.total.map(|total| self.start + total)
    }

    /// Waits for an answer as long as the limits allow, and bounds the rest of it.
    ///
    /// # Errors
    /// The answer has not begun in time. Its future has been dropped: upstream is closed.
    pub async fn bound<B: HttpBody>(
        &self,
        answer: impl Future<Output = Response<B>>,
    ) -> Result<Response<Timed<B>>, TimedOut> {
        let response = match self.head() {
            Some(head) => timeout_at(head, answer)
                .await
                .map_err(|_| TimedOut(self.text))?,
            None => answer.await,
        };
        if let Some(tunnel) = response.extensions().get::<Tunnel>() {
            tunnel.limit(self.patience());
        }
        Ok(response.map(|body| Timed::new(body, self)))
    }

    fn patience(&self) -> Patience {
        let first = self.limits.response_start;
        Patience {
            until: self.total(),
            first: first.map(|limit| self.start + limit),
            idle: self.limits.idle,
        }
    }
}

// === impl Timed ===

impl<B: HttpBody> Timed<B> {
    /// A body that has all the time in the world.
    pub fn free(body: B) -> Self {
        Self {
            body,
            timer: None,
            total: None,
            idle: None,
            text: "",
            state: State::Open,
        }
    }

    fn new(body: B, deadline: &Deadline) -> Self {
        let (total, idle) = (deadline.total(), deadline.limits.idle);
        let ends = body.is_end_stream();
        let first = next_limit(total, idle).filter(|_| !ends);
        Self {
            body,
            timer: first.map(sleep_until),
            total,
            idle,
            text: deadline.text,
            state: State::Open,
        }
    }
}

impl<B> HttpBody for Timed<B>
where
    B: HttpBody<Data = Bytes, Error = BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        if *this.state == State::Over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) {
            *this.state = State::Passed;
            return Poll::Ready(frame);
        }
        // A timer costs only those who wait: it is registered when it is first polled.
        let Some(mut timer) = this.timer.as_pin_mut() else {
            return Poll::Pending;
        };
        if *this.state == State::Passed {
            *this.state = State::Open;
            if let Some(next) = this
                .idle
                .and_then(|idle| next_limit(*this.total, Some(idle)))
            {
                timer.as_mut().reset(next);
            }
        }
        match timer.poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(expire(this.state, &this.body, this.text))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // The text may follow, unless the length was promised.
        match self.body.size_hint().exact() {
            Some(exact) => SizeHint::with_exact(exact),
            None => SizeHint::default(),
        }
    }
}

impl<B> std::fmt::Debug for Timed<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timed")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

fn next_limit(total: Option<Instant>, idle: Option<Duration>) -> Option<Instant> {
    let idle = idle.map(|idle| Instant::now() + idle);
    [total, idle].into_iter().flatten().min()
}

fn expire<B: HttpBody>(
    state: &mut State,
    body: &B,
    text: &'static str,
) -> Result<Frame<Bytes>, BodyError> {
    *state = State::Over;
    match body.size_hint().exact() {
        Some(_) => Err(BodyError::TimedOut(text)),
        None => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
    }
}

#[cfg(test)]
mod tests;
