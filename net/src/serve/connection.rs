//! One connection, from its first byte to its last.

use std::{
    convert::Infallible,
    error::Error,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::timeout,
};
use tracing::debug;

use super::{
    ServeSettings,
    patience::{Activity, Patience, Present, Timed},
    settings::{CONNECTION_WINDOW, SMALLEST_HEAD, STREAM_WINDOW},
};
use crate::{body::Guarded, forward::hold};

/// What hyper's parser has room for without asking for memory.
const FREE_FIELDS: usize = 100;
/// How long a client may take to see that we close its idle connection.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// Makes connections into answers.
#[derive(Clone, Debug)]
pub(super) struct Server {
    builder: auto::Builder<TokioExecutor>,
    patience: Patience,
}

/// Tells when to stop: its sender is gone then.
pub(super) type Closing = watch::Receiver<()>;

pin_project! {
    /// An answer that counts as a request until its end. A struct, because an async block would keep
    /// room for the answer twice.
    struct Counted<F> {
        #[pin]
        answer: F,
        present: Option<Present>,
    }
}

impl<F, B> Future for Counted<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: http_body::Body,
{
    type Output = Result<Response<Guarded<B, Option<Present>>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answer.poll(cx))?;
        Poll::Ready(Ok(hold(response, this.present.take())))
    }
}

// === impl Server ===

impl Server {
    pub(super) fn new(settings: &ServeSettings) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        let head = &settings.head;
        let bytes = head.bytes as usize;
        let mut http1 = builder.http1();
        http1
            .timer(TokioTimer::new())
            // Ours: see `patience`.
            .header_read_timeout(None)
            .max_buf_size(bytes.max(SMALLEST_HEAD as usize));
        if head.fields != FREE_FIELDS {
            http1.max_headers(head.fields);
        }
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.idle_timeout / 2)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(head.bytes)
            .max_concurrent_streams(settings.max_streams)
            .max_pending_accept_reset_streams(settings.max_resets)
            .max_local_error_reset_streams(settings.max_resets);
        let patience = Patience {
            head: settings.header_timeout,
            idle: settings.idle_timeout,
        };
        Self { builder, patience }
    }

    /// Serves one connection until it ends, until it has been idle for too long, or until `closing`
    /// and its last answer.
    pub(super) async fn connection<I, S, B>(&self, io: I, service: S, mut closing: Closing)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let activity = Arc::new(Activity::default());
        let io = Timed::new(io, Arc::clone(&activity), self.patience);
        let counts = Arc::clone(&activity);
        let service = service_fn(move |request| Counted {
            answer: service.call(request),
            present: Some(counts.enter()),
        });
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            _ = closing.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = activity.bored() => {
                connection.as_mut().graceful_shutdown();
                timeout(LONGEST_FAREWELL, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            debug!(%error, "Connection ended");
        }
    }
}
