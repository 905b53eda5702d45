//! Apps that answer before they have read the request, and close.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use net::body::{Body, BodyError};
use net::upstream::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{app, get, proxy, read, upstream};

const SOON: Duration = Duration::from_secs(10);
const UPLOAD: usize = 8 * 1024 * 1024;
const PIECE: usize = 16 * 1024;
/// The race of answer and reset has many outcomes.
const ROUNDS: usize = 30;

/// Reads a head, answers, and closes with the body unread: the kernel resets the connection.
async fn hasty() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 8\r\n\
                               connection: close\r\n\r\ntoo long";
                let _ = stream.write_all(answer).await;
            });
        }
    });
    address
}

/// Sends all that the server takes, then reads.
async fn upload(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {UPLOAD}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..UPLOAD / PIECE {
        if stream.write_all(&[b'x'; PIECE]).await.is_err() {
            break;
        }
    }
    let mut heard = Vec::new();
    // It may end with a reset; what came before counts.
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn answer_of_a_hasty_app_passes_both_hops() {
    let (near, _near) = proxy(hasty().await, Arc::new(())).await;
    let (far, _far) = proxy(near, Arc::new(())).await;
    for address in [near, far] {
        for _ in 0..ROUNDS {
            let heard = timeout(SOON, upload(address)).await.unwrap();
            assert!(heard.starts_with("HTTP/1.1 413"), "{heard:?}");
            assert!(heard.ends_with("too long"), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn answer_of_a_hasty_app_passes_both_hops_by_http2() {
    let refuse = |_, _| async {
        let mut response = Response::new(Body::from("too long"));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        response
    };
    let (app, _app) = app(refuse).await;
    let (near, _near) = proxy(app, Arc::new(())).await;
    let (far, _far) = proxy(near, Arc::new(())).await;
    for address in [near, far] {
        let client = upstream(address);
        for _ in 0..ROUNDS {
            let piece = Bytes::from_static(&[b'x'; PIECE]);
            let pieces = stream::repeat(piece).take(UPLOAD / PIECE);
            let body = StreamBody::new(pieces.map(|it| Ok::<_, BodyError>(Frame::data(it))));
            let mut request = get("/").map(|_| Body::boxed(body));
            *request.method_mut() = Method::POST;
            let response = timeout(SOON, client.send(Protocol::Http2, request)).await;
            let response = response.unwrap().unwrap();
            assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(read(response).await, "too long");
        }
    }
}
