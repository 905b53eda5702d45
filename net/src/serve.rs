//! Accepts connections and lets a service answer: HTTP/1.1 with upgrades and HTTP/2 by prior
//! knowledge on one port, bounded in every direction, and drained at the end.

mod connection;
mod patience;
mod settings;

use std::{
    convert::Infallible, error::Error, future::ready, net::SocketAddr, pin::pin, time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::warn;

use connection::Server;
pub use settings::{BadSetting, HeadLimits, STREAM_WINDOW, ServeSettings, head_bytes};

/// How requests come in at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In the open.
    Plain,
    /// Over TLS.
    Tls,
}

// === impl Transport ===

impl Transport {
    /// What it is called in an URL.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::Tls => "https",
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
    let (open, closing) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener), if connections.len() < settings.max_connections => {
                if let Some((stream, peer)) = accepted {
                    let (server, closing) = (server.clone(), closing.clone());
                    let (service, handshake) = (service(peer), handshake(stream));
                    connections.spawn(async move {
                        if let Some(io) = handshake.await {
                            server.connection(io, service, closing).await;
                        }
                    });
                }
            }
        }
    }
    drop((listener, open));
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(settings.drain, drained).await.is_err() {
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
