//! The ports of requests: bound here, served by [`net::serve`], left in order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use net::body::Body;
use net::serve::{ServeSettings, serve, serve_after};
use net::tls::Tls;
use runtime::shutdown::Shutdown;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;

use crate::handler::{Door, Handler};

/// Connections that may wait to be accepted: a burst beyond it would pay a second each for its
/// lost SYN. The kernel's own limit (somaxconn) is 4096.
const BACKLOG: u32 = 4096;

/// How to leave.
#[derive(Clone, Debug)]
pub struct Drain {
    /// The request to stop.
    pub shutdown: Shutdown,
    /// How long to go on accepting after it, while others forget us.
    pub quiet: Duration,
    /// How long requests in flight get after that.
    pub limit: Duration,
}

/// One port.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
    door: Door,
    tls: Option<Tls>,
}

// === impl Port ===

impl Port {
    /// Binds a port; 0 is any.
    ///
    /// # Errors
    /// When the address can't be bound.
    pub fn bind(address: SocketAddr, door: Door) -> io::Result<Self> {
        Ok(Self {
            listener: bind(address)?,
            door,
            tls: None,
        })
    }

    /// The same port for encrypted connections.
    #[must_use]
    pub fn over(self, tls: Tls) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system doesn't know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests until it is time to leave, then those that are in flight.
    pub async fn serve(self, handler: Arc<Handler>, bounds: ServeSettings, drain: Drain) {
        let Self {
            listener,
            door,
            tls,
        } = self;
        let settings = ServeSettings {
            drain: drain.limit,
            ..bounds
        };
        let service = |peer: SocketAddr| {
            let handler = Arc::clone(&handler);
            service_fn(move |request: Request<Incoming>| {
                let handler = Arc::clone(&handler);
                async move {
                    let request = request.map(Body::from);
                    Ok::<_, Infallible>(handler.handle(door, peer, request).await)
                }
            })
        };
        let time_to_leave = async {
            drain.shutdown.wait().await;
            sleep(drain.quiet).await;
        };
        match tls {
            None => serve(listener, settings, service, time_to_leave).await,
            Some(tls) => {
                let handshake = |stream| tls.clone().handshake(stream);
                serve_after(handshake, listener, settings, service, time_to_leave).await;
            }
        }
    }
}

/// Listens at an address with a backlog for bursts; port 0 is any.
///
/// # Errors
/// When the address can't be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
