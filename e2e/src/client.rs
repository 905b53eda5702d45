//! Requests through the gateway, one connection at a time, with nothing repeated behind the back.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How long a request may take when nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where requests enter.
#[derive(Clone, Copy, Debug)]
pub struct Gateway {
    address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status of the answer.
    pub status: StatusCode,
    /// Headers of the answer.
    pub headers: HeaderMap,
    /// The whole body; what isn't UTF-8 is replaced.
    pub body: String,
    /// Time from before the connection was made, or from before the request on one that was there,
    /// to the last byte.
    pub took: Duration,
}

/// One HTTP/1.1 connection. After an error it is of no more use.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

/// The body of an answer, piece by piece.
#[derive(Debug)]
pub struct Pieces {
    body: Incoming,
}

// === impl Gateway ===

impl Gateway {
    /// Requests enter at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where that is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `GET path` of `host` on a new connection, within [`PATIENCE`].
    pub async fn get(&self, host: &str, path: &str) -> Result<Answer> {
        self.get_within(PATIENCE, host, path).await
    }

    /// `GET path` of `host` on a new connection, within `limit`.
    pub async fn get_within(&self, limit: Duration, host: &str, path: &str) -> Result<Answer> {
        self.send_within(limit, get(host, path)?).await
    }

    /// `request` on a new connection, within [`PATIENCE`]. It names its host in a header.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer> {
        self.send_within(PATIENCE, request).await
    }

    async fn send_within(&self, limit: Duration, request: Request<Full<Bytes>>) -> Result<Answer> {
        let start = Instant::now();
        let host = request.headers().get(header::HOST);
        let host = host.map_or("", |host| host.to_str().unwrap_or_default());
        let what = format!("{host}{}", request.uri());
        let exchange = async {
            let mut connection = self.connect().await?;
            connection.send(request).await
        };
        let Ok(answer) = timeout(limit, exchange).await else {
            bail!("{what}: no answer within {} s", limit.as_secs());
        };
        Ok(Answer {
            took: start.elapsed(),
            ..answer.context(what)?
        })
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address)
            .await
            .context("can't connect")?;
        stream.set_nodelay(true)?;
        Connection::over(TokioIo::new(stream)).await
    }
}

// === impl Connection ===

impl Connection {
    /// HTTP/1.1 over `io`.
    pub(crate) async fn over<I>(io: I) -> Result<Self>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(io).await?;
        // Its errors reach the request that meets them.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Whether the peer has left the connection open for another request.
    pub async fn is_usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// `GET path` of `host`; waits as long as it takes.
    pub async fn get(&mut self, host: &str, path: &str) -> Result<Answer> {
        self.send(get(host, path)?).await
    }

    /// `request`, which names its host in a header; waits as long as it takes.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let start = Instant::now();
        let response = self
            .sender
            .send_request(request)
            .await
            .context("no answer")?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .context("the answer broke off")?
            .to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            took: start.elapsed(),
        })
    }

    /// `request`, whose answer must be 200 and is read as it comes.
    pub async fn open(&mut self, request: Request<Full<Bytes>>) -> Result<Pieces> {
        let response = self.sender.send_request(request).await;
        let response = response.context("no answer")?;
        ensure!(response.status() == StatusCode::OK, "{}", response.status());
        let body = response.into_body();
        Ok(Pieces { body })
    }
}

/// `kept`, unless the peer has closed it since: that loses no request.
pub async fn usable(kept: Option<Connection>) -> Option<Connection> {
    let mut connection = kept?;
    connection.is_usable().await.then_some(connection)
}

// === impl Pieces ===

impl Pieces {
    /// The next one; nothing when the body has ended.
    pub async fn next(&mut self, limit: Duration) -> Result<Option<String>> {
        let frame = timeout(limit, self.body.frame()).await;
        let Some(frame) = frame.context("nothing came")? else {
            return Ok(None);
        };
        let data = frame.context("the answer broke off")?.into_data();
        let data = data.unwrap_or_default();
        Ok(Some(String::from_utf8_lossy(&data).into_owned()))
    }
}

/// `GET path` of `host`, without a body.
pub fn get(host: &str, path: &str) -> Result<Request<Full<Bytes>>> {
    let request = Request::get(path).header(header::HOST, host);
    Ok(request.body(Full::default())?)
}

/// The host of a URL as status fields have it: `http://hello.default.example.com`.
pub fn host_of(url: &str) -> Result<&str> {
    let (_, rest) = url
        .split_once("://")
        .with_context(|| format!("not a URL: {url:?}"))?;
    Ok(rest.split('/').next().unwrap_or(rest))
}
