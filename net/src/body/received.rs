//! A body that a client sends us, and what becomes of it when nobody reads it to its end.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{runtime::Handle, time::timeout};

/// A client that still sends more when it has been answered, or for longer, is cut off.
const MOST_DISCARDED: usize = 256 * 1024;
const LONGEST_DISCARD: Duration = Duration::from_secs(2);

/// A body that a client sends. Dropped before its end, the rest is read and forgotten for a while: a
/// connection that is closed with bytes unread resets, and the client may never see its answer.
#[derive(Debug)]
pub struct Received {
    /// None when it has ended.
    incoming: Option<Incoming>,
}

// === impl Received ===

impl Received {
    pub(super) fn new(incoming: Incoming) -> Self {
        let incoming = Some(incoming);
        Self { incoming }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(incoming).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.incoming = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.incoming.as_ref().map(HttpBody::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let Some(rest) = self.incoming.take().filter(|rest| !rest.is_end_stream()) else {
            return;
        };
        // Without a runtime the connection is gone as well.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(discard(rest));
        }
    }
}

async fn discard(mut body: Incoming) {
    let all = async {
        let mut left = MOST_DISCARDED;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Who is slower is cut off.
    let _ = timeout(LONGEST_DISCARD, all).await;
}
