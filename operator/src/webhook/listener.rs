//! Connections over TLS, with the newest certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::service::TowerToHyperService;
use net::serve::{ServeSettings, serve_after};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

/// Certificate and key, ready for use.
pub(crate) type Tls = Arc<ServerConfig>;

const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers at `sockets` until `end`; then lets what is in flight finish. Each connection has a task
/// from its start, so that a client that is slow with its handshake stops nobody.
pub(crate) async fn serve(
    sockets: TcpListener,
    tls: watch::Receiver<Option<Tls>>,
    router: Router,
    end: impl Future<Output = ()>,
) {
    let settings = ServeSettings {
        max_connections: 1000,
        // API servers keep up to 25 idle connections for each webhook, and close them after 90
        // seconds: we wait longer, or a request meets our closing.
        idle_timeout: Duration::from_secs(120),
        drain: Duration::from_secs(5),
        ..ServeSettings::default()
    };
    let newest = |stream| handshake(tls.borrow().clone(), stream);
    let service = |_: SocketAddr| TowerToHyperService::new(router.clone());
    serve_after(newest, sockets, settings, service, end).await;
}

/// None at once if there is no certificate yet.
async fn handshake(tls: Option<Tls>, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let handshake = TlsAcceptor::from(tls?).accept(stream);
    match timeout(LONGEST_HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            debug!(%error, "A TLS handshake failed");
            None
        }
        Err(_) => {
            debug!("A TLS handshake took too long");
            None
        }
    }
}
