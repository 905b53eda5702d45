//! HTTP/2 without TLS through the gateway, and gRPC on it: just framing, no service definitions.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::SinkExt;
use futures::channel::mpsc;
use http::{Request, Version, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::client::{Answer, Gateway, PATIENCE};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Before each message: not compressed, and its length.
const PREFIX: usize = 5;

/// One connection.
#[derive(Clone, Debug)]
pub struct Http2 {
    sender: SendRequest<Body>,
}

/// One gRPC call that runs.
#[derive(Debug)]
pub struct Call {
    messages: mpsc::Sender<Result<Frame<Bytes>, Infallible>>,
    answer: Incoming,
    unread: BytesMut,
    status: Option<String>,
    /// The pod that answers.
    pub pod: String,
}

// === impl Gateway ===

impl Gateway {
    /// A new connection that speaks HTTP/2 from its first byte.
    pub async fn http2(&self) -> Result<Http2> {
        Http2::connect(self.address()).await
    }
}

// === impl Http2 ===

impl Http2 {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("can't connect")?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        let (sender, connection) = handshake(TokioExecutor::new(), stream).await?;
        // Its errors reach the requests that meet them.
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// `GET path` of `host`.
    pub async fn get(&mut self, host: &str, path: &str) -> Result<Answer> {
        let start = Instant::now();
        let request = Request::get(format!("http://{host}{path}"))
            .version(Version::HTTP_2)
            .body(Empty::new().boxed_unsync())?;
        let response = timeout(PATIENCE, self.sender.send_request(request)).await??;
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            took: start.elapsed(),
        })
    }

    /// Calls `method` (`/package.Service/Method`) of `host` with `first`; more may follow.
    pub async fn call(&mut self, host: &str, method: &str, first: &[u8]) -> Result<Call> {
        let (mut messages, body) = mpsc::channel(1);
        messages.send(Ok(framed(first)?)).await?;
        let request = Request::post(format!("http://{host}{method}"))
            .version(Version::HTTP_2)
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(StreamBody::new(body).boxed_unsync())?;
        let response = timeout(PATIENCE, self.sender.send_request(request)).await??;
        let (head, answer) = response.into_parts();
        let status = head.status;
        ensure!(status == 200, "{method}: {status}");
        let pod = head.headers.get("x-pod");
        let pod = pod.map_or("", |pod| pod.to_str().unwrap_or_default());
        let pod = pod.to_owned();
        let unread = BytesMut::new();
        Ok(Call {
            messages,
            answer,
            unread,
            status: None,
            pod,
        })
    }
}

fn framed(message: &[u8]) -> Result<Frame<Bytes>> {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len())?);
    frame.put_slice(message);
    Ok(Frame::data(frame.freeze()))
}

// === impl Call ===

impl Call {
    /// Sends one more message.
    pub async fn say(&mut self, message: &[u8]) -> Result<()> {
        let frame = Ok(framed(message)?);
        self.messages.send(frame).await.context("nobody listens")
    }

    /// The next message; nothing when the call has ended.
    pub async fn hear(&mut self, limit: Duration) -> Result<Option<Bytes>> {
        timeout(limit, self.next()).await.context("nothing came")?
    }

    /// Says that nothing follows, and waits for the end of the call: its `grpc-status`.
    pub async fn finish(mut self, limit: Duration) -> Result<String> {
        self.messages.close_channel();
        while self.hear(limit).await?.is_some() {}
        self.status.context("no grpc-status")
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(message) = self.whole() {
                return Ok(Some(message));
            }
            let Some(frame) = self.answer.frame().await else {
                return Ok(None);
            };
            let frame = frame.context("the answer broke off")?;
            if let Some(trailers) = frame.trailers_ref() {
                let status = trailers.get("grpc-status").context("no grpc-status")?;
                self.status = Some(status.to_str()?.to_owned());
            }
            self.unread.extend(frame.into_data().ok());
        }
    }

    /// The first message among the bytes that are there.
    fn whole(&mut self) -> Option<Bytes> {
        let length = self.unread.get(1..PREFIX)?.get_u32() as usize;
        if self.unread.len() < PREFIX + length {
            return None;
        }
        self.unread.advance(PREFIX);
        Some(self.unread.split_to(length).freeze())
    }
}
