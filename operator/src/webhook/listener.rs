//! Connections over TLS, with the newest certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use net::serve::{self, ServeSettings, Server};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// Certificate and key, ready for use.
pub(crate) type Tls = Arc<ServerConfig>;

const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);

/// API servers keep up to 25 idle connections for each webhook, and close them after 90 seconds: we
/// wait longer, or a request meets our closing.
const SETTINGS: ServeSettings = ServeSettings {
    max_connections: 1000,
    header_timeout: Duration::from_secs(120),
    max_head: 64 * 1024,
    max_streams: 100,
    max_resets: 100,
    drain: Duration::from_secs(5),
};

/// Answers at `sockets` until `end`; then lets what is in flight finish. Each connection has a task
/// from its start, so that a client that is slow with its handshake stops nobody.
pub(crate) async fn serve(
    sockets: TcpListener,
    tls: watch::Receiver<Option<Tls>>,
    router: Router,
    end: impl Future<Output = ()>,
) {
    let server = Server::new(&SETTINGS);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            biased;
            () = &mut end => break,
            Some(_) = connections.join_next() => {}
            accepted = serve::accept(&sockets), if connections.len() < SETTINGS.max_connections => {
                if let Some((stream, peer)) = accepted {
                    let newest = tls.borrow().clone();
                    let (server, router) = (server.clone(), router.clone());
                    let watcher = graceful.watcher();
                    connections.spawn(async move {
                        connection(&server, newest, (stream, peer), router, watcher).await;
                    });
                }
            }
        }
    }
    drop(sockets);
    if timeout(SETTINGS.drain, graceful.shutdown()).await.is_err() {
        let cut = connections.len();
        warn!(connections = cut, "Cut connections that did not drain");
    }
    connections.shutdown().await;
}

/// Ends at once if there is no certificate yet.
async fn connection(
    server: &Server,
    tls: Option<Tls>,
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    watcher: Watcher,
) {
    let Some(tls) = tls else { return };
    let handshake = TlsAcceptor::from(tls).accept(stream);
    match timeout(LONGEST_HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => {
            let service = TowerToHyperService::new(router);
            server.connection(stream, service, watcher).await;
        }
        Ok(Err(error)) => debug!(%peer, %error, "A TLS handshake failed"),
        Err(_) => debug!(%peer, "A TLS handshake took too long"),
    }
}
