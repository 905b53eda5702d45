//! One connection, from its first byte to its last.

use std::{convert::Infallible, error::Error, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::timeout,
};
use tracing::debug;

use super::{
    ServeSettings,
    patience::{Activity, Patience, Timed},
    settings::SMALLEST_HEAD,
};
use crate::forward::hold;

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
        let service = service_fn(move |request| {
            let (present, answer) = (counts.enter(), service.call(request));
            async move { answer.await.map(|response| hold(response, present)) }
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
