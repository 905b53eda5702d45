//! Making a connection, and the task that drives it.

use std::{net::SocketAddr, time::Duration};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
#[cfg(feature = "tls-client")]
use tokio_rustls::client::TlsStream;

use super::{Protocol, UpstreamSettings, stream::Patient};
use crate::body::Body;
#[cfg(feature = "tls-client")]
use crate::tls::Peer;

/// Where connections lead, and how they are made.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) addr: SocketAddr,
    pub(super) settings: UpstreamSettings,
    /// Who must be there; None is in the open.
    #[cfg(feature = "tls-client")]
    pub(super) peer: Option<Peer>,
}

/// Boxed, because what is in the open pays for the room of the others.
enum Connection {
    Plain(TcpStream),
    #[cfg(feature = "tls-client")]
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum DialError {
    /// Refused, unreachable, reset.
    #[error("dial tcp {addr} failed")]
    Connect {
        /// Where to.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No answer in time: worth another try with a longer timeout.
    #[error("dial tcp {addr} timed out after {after:?}")]
    Timeout {
        /// Where to.
        addr: SocketAddr,
        /// How long we waited.
        after: Duration,
    },
    /// The peer speaks no TLS, or is not the one that must be there.
    #[error("TLS handshake with {addr} failed")]
    Tls {
        /// Where to.
        addr: SocketAddr,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The peer accepted and then didn't speak HTTP.
    #[error("handshake with {addr} failed")]
    Handshake {
        /// Where to.
        addr: SocketAddr,
        /// What it said.
        source: hyper::Error,
    },
}

// === impl Destination ===

impl Destination {
    pub(super) async fn http1(&self) -> Result<http1::SendRequest<Body>, DialError> {
        match self.connect(Protocol::Http1).await? {
            Connection::Plain(stream) => http1(self.addr, stream).await,
            #[cfg(feature = "tls-client")]
            Connection::Tls(stream) => http1(self.addr, stream).await,
        }
    }

    pub(super) async fn http2(&self) -> Result<http2::SendRequest<Body>, DialError> {
        let keep_alive = self.settings.keep_alive;
        match self.connect(Protocol::Http2).await? {
            Connection::Plain(stream) => http2(self.addr, stream, keep_alive).await,
            #[cfg(feature = "tls-client")]
            Connection::Tls(stream) => http2(self.addr, stream, keep_alive).await,
        }
    }

    /// A connection that is ready for HTTP, within the time of the settings.
    async fn connect(&self, protocol: Protocol) -> Result<Connection, DialError> {
        let (addr, after) = (self.addr, self.settings.connect_timeout);
        timeout(after, self.connection(protocol))
            .await
            .unwrap_or(Err(DialError::Timeout { addr, after }))
    }

    #[cfg(feature = "tls-client")]
    async fn connection(&self, protocol: Protocol) -> Result<Connection, DialError> {
        let (addr, stream) = (self.addr, self.tcp().await?);
        let Some(peer) = &self.peer else {
            return Ok(Connection::Plain(stream));
        };
        let stream = peer.handshake(protocol, stream).await;
        let stream = stream.map_err(|source| DialError::Tls { addr, source })?;
        Ok(Connection::Tls(Box::new(stream)))
    }

    #[cfg(not(feature = "tls-client"))]
    async fn connection(&self, _: Protocol) -> Result<Connection, DialError> {
        self.tcp().await.map(Connection::Plain)
    }

    async fn tcp(&self) -> Result<TcpStream, DialError> {
        let addr = self.addr;
        let connect = |source| DialError::Connect { addr, source };
        let stream = TcpStream::connect(addr).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        if let Some(period) = self.settings.keep_alive {
            let keep_alive = TcpKeepalive::new()
                .with_time(period)
                .with_interval(period)
                .with_retries(3);
            SockRef::from(&stream)
                .set_tcp_keepalive(&keep_alive)
                .map_err(connect)?;
        }
        Ok(stream)
    }
}

async fn http1<I>(addr: SocketAddr, stream: I) -> Result<http1::SendRequest<Body>, DialError>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_BUFFER)
        .handshake(TokioIo::new(Patient::new(stream)))
        .await
        .map_err(|source| DialError::Handshake { addr, source })?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::trace!(%addr, %error, "Connection ended");
        }
    });
    Ok(sender)
}

async fn http2<I>(
    addr: SocketAddr,
    stream: I,
    keep_alive: Option<Duration>,
) -> Result<http2::SendRequest<Body>, DialError>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(keep_alive)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|source| DialError::Handshake { addr, source })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(%addr, %error, "Connection ended");
        }
    });
    Ok(sender)
}

/// Largest read buffer of a connection; also bounds the head of a response.
const MAX_BUFFER: usize = 256 * 1024;
