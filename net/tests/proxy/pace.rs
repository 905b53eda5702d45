//! Who waits for whom: clients that want to be asked for a body, readers that are slower than writers,
//! and answers that begin before the question has ended. Each way leads through two hops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::{StreamExt as _, stream};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use net::body::{Body, BodyError};
use net::upstream::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::{Stop, app, get, proxy, read, upstream};

const SOON: Duration = Duration::from_secs(10);
/// Enough for far more than [`ALL`] on loopback.
const LONG_ENOUGH: Duration = Duration::from_millis(700);
const PIECE: usize = 64 * 1024;
/// Far more than all buffers of two hops hold.
const PIECES: usize = 1024;
const ALL: usize = PIECES * PIECE;

/// Two hops before `app`.
async fn hops(app: SocketAddr) -> (SocketAddr, [Stop; 2]) {
    let (near, near_stop) = proxy(app, Arc::new(())).await;
    let (far, far_stop) = proxy(near, Arc::new(())).await;
    (far, [near_stop, far_stop])
}

fn posting(body: Body) -> Request<Body> {
    let mut request = get("/").map(|_| body);
    *request.method_mut() = Method::POST;
    request
}

/// Many pieces, and the number of those that were taken.
fn pieces(taken: &Arc<AtomicUsize>) -> Body {
    let taken = Arc::clone(taken);
    let pieces = stream::iter(0..PIECES).map(move |_| {
        taken.fetch_add(1, Ordering::Relaxed);
        Ok::<_, BodyError>(Frame::data(Bytes::from_static(&[b'x'; PIECE])))
    });
    Body::boxed(StreamBody::new(pieces))
}

/// Reads until `end` was there.
async fn heard(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = String::new();
    while !heard.ends_with(end) {
        let mut bytes = [0; 1024];
        let length = timeout(SOON, stream.read(&mut bytes)).await.unwrap();
        let length = length.unwrap();
        assert!(length > 0, "closed after {heard:?}");
        heard.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    heard
}

#[tokio::test]
async fn client_that_wants_to_be_asked_for_its_body_is_asked() {
    let echo = |_, request: Request<Incoming>| async { Response::new(request.into_body().into()) };
    let (address, _app) = app(echo).await;
    let (address, _hops) = hops(address).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let asked = heard(&mut stream, "\r\n\r\n").await;
    assert_eq!(asked, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let answer = heard(&mut stream, "hello").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

/// An answer needs no body.
#[tokio::test]
async fn client_that_waits_with_its_body_hears_a_refusal() {
    let refuse = |_, _| async {
        let mut response = Response::new(Body::from("no"));
        *response.status_mut() = StatusCode::EXPECTATION_FAILED;
        response
    };
    let (address, _app) = app(refuse).await;
    let (address, _hops) = hops(address).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = heard(&mut stream, "no").await;
    assert!(answer.contains("HTTP/1.1 417 "), "{answer}");
}

#[tokio::test]
async fn app_writes_no_faster_than_its_client_reads() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let (address, _app) = app(move |_, _| {
            let body = pieces(&counted);
            async move { Response::new(body) }
        })
        .await;
        let (address, _hops) = hops(address).await;
        let client = upstream(address);
        let response = client.send(protocol, get("/")).await.unwrap();
        let all = async {
            while taken.load(Ordering::Relaxed) < PIECES {
                tokio::task::yield_now().await;
            }
        };
        let all = timeout(LONG_ENOUGH, all).await;
        assert!(all.is_err(), "{protocol:?}: nobody held the app back");
        assert_eq!(read(response).await.len(), ALL);
    }
}

#[tokio::test]
async fn client_writes_no_faster_than_its_app_reads() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let go = Arc::new(Notify::new());
        let told = Arc::clone(&go);
        let (address, _app) = app(move |_, request| {
            let told = Arc::clone(&told);
            async move {
                told.notified().await;
                let body = request.into_body().collect().await.unwrap();
                Response::new(Body::from(body.to_bytes().len().to_string()))
            }
        })
        .await;
        let (address, _hops) = hops(address).await;
        let taken = Arc::new(AtomicUsize::new(0));
        let client = upstream(address);
        let request = posting(pieces(&taken));
        let sent = tokio::spawn(async move { client.send(protocol, request).await });
        let all = async {
            while taken.load(Ordering::Relaxed) < PIECES {
                tokio::task::yield_now().await;
            }
        };
        let all = timeout(LONG_ENOUGH, all).await;
        assert!(all.is_err(), "{protocol:?}: nobody held the client back");
        go.notify_one();
        let answer = timeout(SOON, sent).await.unwrap().unwrap().unwrap();
        assert_eq!(read(answer).await, ALL.to_string());
    }
}

/// What `http-full-duplex` asks for holds for every revision: HTTP/1.1, too.
#[tokio::test]
async fn answer_flows_while_the_question_does() {
    let echo = |_, request: Request<Incoming>| async { Response::new(request.into_body().into()) };
    let (address, _app) = app(echo).await;
    let (address, _hops) = hops(address).await;
    let client = upstream(address);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (say, said) = mpsc::unbounded::<Result<Frame<Bytes>, BodyError>>();
        let body = Body::boxed(StreamBody::new(said));
        let word = |text: &'static str| Ok(Frame::data(Bytes::from(text)));
        say.unbounded_send(word("first")).unwrap();
        let answer = timeout(SOON, client.send(protocol, posting(body))).await;
        let mut answer = answer.unwrap().unwrap().into_body();
        for next in [Some("second"), Some("third"), None] {
            let frame = timeout(SOON, answer.frame()).await.unwrap();
            let heard = frame.unwrap().unwrap().into_data().unwrap();
            assert!(!heard.is_empty(), "{protocol:?}");
            match next {
                Some(text) => say.unbounded_send(word(text)).unwrap(),
                None => say.close_channel(),
            }
        }
        let rest = timeout(SOON, answer.collect()).await.unwrap().unwrap();
        assert!(rest.to_bytes().is_empty(), "{protocol:?}");
    }
}
