//! Accepts connections and lets a service answer: HTTP/1.1 with upgrades and HTTP/2 by prior
//! knowledge on one port, bounded in every direction, and drained at the end.

use std::{
    convert::Infallible, error::Error, future::ready, net::SocketAddr, pin::pin, time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

/// Bounds of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeSettings {
    /// Connections at a time; more wait in the listen queue.
    pub max_connections: usize,
    /// A client may be silent so long before and between requests. Longer than any client of
    /// ours keeps its idle connections, or requests race with our closing.
    pub header_timeout: Duration,
    /// Bytes of a request's head.
    pub max_head: u32,
    /// HTTP/2 streams of one connection.
    pub max_streams: u32,
    /// HTTP/2 resets that one connection may have pending (rapid reset, CVE-2023-44487).
    pub max_resets: usize,
    /// What is in flight may take so long after the request to stop.
    pub drain: Duration,
}

/// Makes connections into answers; shared by all listeners of a port, TLS or not.
#[derive(Clone, Debug)]
pub struct Server {
    builder: auto::Builder<TokioExecutor>,
}

// === impl ServeSettings ===

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            header_timeout: Duration::from_secs(90),
            max_head: 64 * 1024,
            max_streams: 250,
            max_resets: 100,
            drain: Duration::from_secs(600),
        }
    }
}

// === serve ===

/// Serves `listener` until `shutdown`. Then stops accepting, says so to the clients (`Connection:
/// close`, GOAWAY), waits for what is in flight, at most [`ServeSettings::drain`], and cuts the
/// rest. Upgraded connections are not its concern: see [`Tunnel`](crate::tunnel::Tunnel).
///
/// `service` is asked for a service once per connection, with the peer's address.
pub async fn serve<S, B>(
    listener: TcpListener,
    settings: ServeSettings,
    service: impl FnMut(SocketAddr) -> S,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let as_it_is = |stream| ready(Some(stream));
    serve_after(as_it_is, listener, settings, service, shutdown).await;
}

/// The same for connections that begin with a `handshake`, which says None to those that fail.
pub async fn serve_after<H, I, S, B>(
    handshake: impl Fn(TcpStream) -> H,
    listener: TcpListener,
    settings: ServeSettings,
    mut service: impl FnMut(SocketAddr) -> S,
    shutdown: impl Future<Output = ()>,
) where
    H: Future<Output = Option<I>> + Send + 'static,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let server = Server::new(&settings);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener), if connections.len() < settings.max_connections => {
                if let Some((stream, peer)) = accepted {
                    let (server, watcher) = (server.clone(), graceful.watcher());
                    let (service, handshake) = (service(peer), handshake(stream));
                    connections.spawn(async move {
                        if let Some(io) = handshake.await {
                            server.connection(io, service, watcher).await;
                        }
                    });
                }
            }
        }
    }
    drop(listener);
    if timeout(settings.drain, graceful.shutdown()).await.is_err() {
        warn!(
            connections = connections.len(),
            "Cut connections that did not drain"
        );
    }
    connections.shutdown().await;
}

/// Accepts one connection; None if that failed, after a pause where that helps.
pub async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            // A connection that can't be set up is dead already: reading will tell.
            let _ = stream.set_nodelay(true);
            Some((stream, peer))
        }
        Err(error) if is_of_the_connection(&error) => None,
        Err(error) => {
            // Out of file descriptors or memory: trying again at once would only burn CPU.
            warn!(%error, "Accept failed");
            sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

// === impl Server ===

impl Server {
    /// A server with these bounds.
    pub fn new(settings: &ServeSettings) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_timeout)
            .max_buf_size(settings.max_head as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.header_timeout / 2)
            .max_header_list_size(settings.max_head)
            .max_concurrent_streams(settings.max_streams)
            .max_pending_accept_reset_streams(settings.max_resets)
            .max_local_error_reset_streams(settings.max_resets);
        Self { builder }
    }

    /// Serves one connection until it ends, or until `watcher`'s shutdown and its last answer.
    pub fn connection<I, S, B>(
        &self,
        io: I,
        service: S,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + Send + use<I, S, B>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(io), service)
            .into_owned();
        async move {
            if let Err(error) = watcher.watch(connection).await {
                debug!(%error, "Connection ended");
            }
        }
    }
}
