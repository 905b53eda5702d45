//! Connections over TLS, with the newest certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use runtime::tasks::Tasks;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

/// Certificate and key, ready for use.
pub(crate) type Tls = Arc<ServerConfig>;

/// API servers keep a few connections each.
const HANDSHAKES: usize = 64;
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);
/// After a failure to accept (no file descriptors left) the next try waits this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Connections whose handshake is done.
pub(crate) struct Listener {
    address: SocketAddr,
    connections: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

/// Listens at `address`. Handshakes run beside one another, so that a client that is slow with its
/// own stops nobody.
pub(crate) fn listen(
    sockets: TcpListener,
    tls: watch::Receiver<Option<Tls>>,
    tasks: &Tasks,
) -> Listener {
    let address = sockets
        .local_addr()
        .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let (sender, connections) = mpsc::channel(HANDSHAKES);
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("tls", async move {
        tokio::select! {
            () = accept(sockets, tls, sender) => {}
            () = shutdown.wait() => {}
        }
        Ok::<(), std::convert::Infallible>(())
    });
    Listener {
        address,
        connections,
    }
}

async fn accept(
    sockets: TcpListener,
    tls: watch::Receiver<Option<Tls>>,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let mut handshakes = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(done) = handshakes.next() => {
                if let Some(connection) = done && sender.send(connection).await.is_err() {
                    return;
                }
            }
            accepted = sockets.accept(), if handshakes.len() < HANDSHAKES => match accepted {
                Ok((stream, peer)) => {
                    let newest = tls.borrow().clone();
                    handshakes.push(handshake(newest, stream, peer));
                }
                Err(error) => {
                    debug!(%error, "A connection could not be accepted");
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                }
            }
        }
    }
}

/// The encrypted connection; nothing if there is no certificate yet or the client gives up.
async fn handshake(
    tls: Option<Tls>,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<(TlsStream<TcpStream>, SocketAddr)> {
    let handshake = TlsAcceptor::from(tls?).accept(stream);
    match tokio::time::timeout(LONGEST_HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => return Some((stream, peer)),
        Ok(Err(error)) => debug!(%peer, %error, "A TLS handshake failed"),
        Err(_) => debug!(%peer, "A TLS handshake took too long"),
    }
    None
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            // The process is shutting down: the server stops by its own signal.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}
