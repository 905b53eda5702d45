//! The connections to one destination address.
//!
//! Our own pool, because retries need the request back: hyper gives back a request that a closed
//! connection never took, and such a request may go elsewhere without any risk of running twice.
//! - HTTP/1.1: a stack of idle connections, the last used first, so that the others can expire.
//! - HTTP/2 (prior knowledge): shared connections, a new one when all are full or closed.
//!
//! Dropping an [`Upstream`] closes what is idle; what is in flight ends in its own time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::client::conn::TrySendError;
use thiserror::Error;

#[cfg(feature = "tls-client")]
use crate::tls::Peer;
use crate::{authority, body::Body};

mod dial;
mod lease;
mod pool;
mod stream;

use dial::Destination;
pub use dial::DialError;
use lease::Lease;
pub use lease::Leased;
use pool::Pool;

/// HTTP version towards a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, by prior knowledge.
    Http2,
}

/// How connections to a destination are made and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Longest time for a connection to come up, TLS included. The caller grows it over its attempts.
    pub connect_timeout: Duration,
    /// An idle connection is closed after this time. Below the usual keep-alive time of app
    /// servers (5 s in Node), or requests race with their closing.
    pub idle_timeout: Duration,
    /// Idle HTTP/1.1 connections that are kept.
    pub max_idle: usize,
    /// Streams on one HTTP/2 connection before another one is opened.
    pub max_streams: usize,
    /// TCP keep-alive: a destination that is silent on all levels is given up after about four
    /// times this. None on loopback.
    pub keep_alive: Option<Duration>,
}

/// Why a request got no response.
#[derive(Debug, Error)]
pub enum SendError {
    /// The destination can't have seen the request: it may be sent elsewhere.
    #[error("request was not sent")]
    NotSent {
        /// The request as it was given to [`Upstream::send`], headers in wire form.
        request: Box<Request<Body>>,
        /// What failed.
        source: NotSentError,
    },
    /// The destination may have seen the request: never send it again.
    #[error("connection failed before the response")]
    Interrupted {
        /// What failed.
        #[source]
        source: hyper::Error,
    },
}

/// Why a request never left.
#[derive(Debug, Error)]
pub enum NotSentError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// A fresh connection closed before it took the request.
    #[error("connection closed before the request was sent")]
    Closed(#[source] hyper::Error),
    /// The request has no host, or one that is no URI authority.
    #[error("request has no valid host")]
    Host,
}

/// One destination address and its connections.
#[derive(Debug)]
pub struct Upstream {
    pool: Arc<Pool>,
}

// === impl Protocol ===

impl Protocol {
    /// The protocol that a request came in with goes on to the app (contract/data-plane 3.7).
    pub fn of<B>(request: &Request<B>) -> Self {
        if request.version() == http::Version::HTTP_2 {
            Self::Http2
        } else {
            Self::Http1
        }
    }
}

// === impl UpstreamSettings ===

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(15),
            max_idle: 256,
            max_streams: 100,
            keep_alive: Some(Duration::from_secs(5)),
        }
    }
}

// === impl Upstream ===

impl Upstream {
    /// Makes no connection yet.
    pub fn new(addr: SocketAddr, settings: UpstreamSettings) -> Arc<Self> {
        Self::to(Destination {
            addr,
            settings,
            #[cfg(feature = "tls-client")]
            peer: None,
        })
    }

    /// The same over TLS, to `peer` and nobody else.
    #[cfg(feature = "tls-client")]
    pub fn over_tls(addr: SocketAddr, settings: UpstreamSettings, peer: Peer) -> Arc<Self> {
        Self::to(Destination {
            addr,
            settings,
            peer: Some(peer),
        })
    }

    fn to(destination: Destination) -> Arc<Self> {
        Arc::new(Self {
            pool: Arc::new(Pool::new(destination)),
        })
    }

    /// Where it connects to.
    pub fn addr(&self) -> SocketAddr {
        self.pool.to.addr
    }

    /// Whether its connections are encrypted.
    #[cfg(feature = "tls-client")]
    pub fn is_encrypted(&self) -> bool {
        self.pool.to.peer.is_some()
    }

    /// Sends `request` and returns the head of its response; the body holds the connection.
    ///
    /// A reused connection that turns out to be closed is replaced by a fresh one, once; the same
    /// goes for an idempotent request without a body that a reused connection swallowed (RFC 9110
    /// 9.2.2). After that it counts as sent. Cancel-safe: dropping the future closes an HTTP/1.1 connection, resets an HTTP/2
    /// stream.
    pub async fn send(
        &self,
        protocol: Protocol,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, SendError> {
        if authority::adapt(&mut request, protocol).is_err() {
            return Err(not_sent(request, NotSentError::Host));
        }
        match protocol {
            Protocol::Http1 => self.send_http1(request).await,
            Protocol::Http2 => self.send_http2(request).await,
        }
    }

    /// Opens an HTTP/1.1 connection and keeps it for the next request: tells that something
    /// listens, and spares that request the dial.
    pub async fn connect(&self) -> Result<(), DialError> {
        let sender = self.pool.to.http1().await?;
        Pool::put(&self.pool, sender);
        Ok(())
    }

    async fn send_http1(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        let Some(mut sender) = self.pool.take() else {
            return self.send_fresh(request).await;
        };
        let copy = replay(&request);
        match sender.try_send_request(request).await {
            Ok(response) => Ok(self.lease(response, Lease::http1(&self.pool, sender))),
            Err(failure) => match take_back(failure) {
                (Some(request), _) => self.send_fresh(request).await,
                (None, source) => match copy {
                    Some(request) => self.send_again(request, source).await,
                    None => Err(SendError::Interrupted { source }),
                },
            },
        }
    }

    /// The first copy may have been seen, so whatever becomes of this one, nobody else gets another.
    async fn send_again(
        &self,
        request: Request<Body>,
        source: hyper::Error,
    ) -> Result<Response<Body>, SendError> {
        match self.send_fresh(request).await {
            Err(SendError::NotSent { .. }) => Err(SendError::Interrupted { source }),
            answered => answered,
        }
    }

    async fn send_fresh(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        let mut sender = match self.pool.to.http1().await {
            Ok(sender) => sender,
            Err(error) => return Err(not_sent(request, error.into())),
        };
        match sender.try_send_request(request).await {
            Ok(response) => Ok(self.lease(response, Lease::http1(&self.pool, sender))),
            Err(failure) => Err(failed(failure)),
        }
    }

    async fn send_http2(&self, mut request: Request<Body>) -> Result<Response<Body>, SendError> {
        let mut retried = false;
        loop {
            let mut stream = match self.pool.stream().await {
                Ok(stream) => stream,
                Err(error) => return Err(not_sent(request, error.into())),
            };
            match stream.sender.try_send_request(request).await {
                Ok(response) => return Ok(self.lease(response, Lease::http2(stream))),
                Err(failure) if stream.reused && !retried => match take_back(failure) {
                    (Some(back), _) => request = back,
                    (None, source) => return Err(SendError::Interrupted { source }),
                },
                Err(failure) => return Err(failed(failure)),
            }
            retried = true;
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "reads as: this upstream leases the response"
    )]
    fn lease(&self, response: Response<hyper::body::Incoming>, lease: Lease) -> Response<Body> {
        response.map(|incoming| Body::Leased(Leased::new(incoming, lease)))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.pool.close();
    }
}

// === impl SendError ===

fn not_sent(request: Request<Body>, source: NotSentError) -> SendError {
    SendError::NotSent {
        request: Box::new(request),
        source,
    }
}

fn failed(failure: TrySendError<Request<Body>>) -> SendError {
    match take_back(failure) {
        (Some(request), source) => not_sent(request, NotSentError::Closed(source)),
        (None, source) => SendError::Interrupted { source },
    }
}

fn take_back(mut failure: TrySendError<Request<Body>>) -> (Option<Request<Body>>, hyper::Error) {
    let request = failure.take_message();
    (request, failure.into_error())
}

/// A copy to send again, if RFC 9110 9.2.2 lets a proxy do so.
fn replay(request: &Request<Body>) -> Option<Request<Body>> {
    let idempotent = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if !idempotent || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Body::Empty);
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    Some(copy)
}
