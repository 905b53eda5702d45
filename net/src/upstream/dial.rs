//! Making a connection, and the task that drives it.

use std::{net::SocketAddr, time::Duration};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};

use super::{UpstreamSettings, stream::Patient};
use crate::body::Body;

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
    /// The peer accepted and then didn't speak HTTP.
    #[error("handshake with {addr} failed")]
    Handshake {
        /// Where to.
        addr: SocketAddr,
        /// What it said.
        source: hyper::Error,
    },
}

pub(super) async fn dial_http1(
    addr: SocketAddr,
    settings: &UpstreamSettings,
) -> Result<http1::SendRequest<Body>, DialError> {
    let stream = dial_tcp(addr, settings).await?;
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

pub(super) async fn dial_http2(
    addr: SocketAddr,
    settings: &UpstreamSettings,
) -> Result<http2::SendRequest<Body>, DialError> {
    let stream = dial_tcp(addr, settings).await?;
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.keep_alive)
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

async fn dial_tcp(addr: SocketAddr, settings: &UpstreamSettings) -> Result<TcpStream, DialError> {
    let after = settings.connect_timeout;
    let connect = |source| DialError::Connect { addr, source };
    let stream = timeout(after, TcpStream::connect(addr))
        .await
        .map_err(|_| DialError::Timeout { addr, after })?
        .map_err(connect)?;
    stream.set_nodelay(true).map_err(connect)?;
    if let Some(period) = settings.keep_alive {
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
