use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use http::{Response, Version};
use net::{
    body::Body,
    upstream::{NotSentError, Protocol, SendError, Upstream, UpstreamSettings},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

use crate::support::{app, get, post, read, upstream};

const SOON: Duration = Duration::from_secs(5);

/// An app that says which protocol it saw, and remembers its peers.
async fn remembering() -> (
    SocketAddr,
    crate::support::Stop,
    Arc<Mutex<BTreeSet<SocketAddr>>>,
) {
    let peers = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&peers);
    let (address, stop) = app(move |peer, request| {
        seen.lock().insert(peer);
        async move { Response::new(Body::from(format!("{:?}", request.version()))) }
    })
    .await;
    (address, stop, peers)
}

#[tokio::test]
async fn connection_is_reused() {
    let (address, _stop, peers) = remembering().await;
    let upstream = upstream(address);
    for _ in 0..20 {
        let response = upstream.send(Protocol::Http1, get("/")).await.unwrap();
        assert_eq!(read(response).await, "HTTP/1.1");
    }
    assert_eq!(peers.lock().len(), 1);
}

#[tokio::test]
async fn http2_requests_share_a_connection_and_a_burst_opens_few() {
    let (address, _stop, peers) = remembering().await;
    let upstream = upstream(address);
    let answers = (0..150).map(|_| async {
        let response = upstream.send(Protocol::Http2, get("/")).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(read(response).await, "HTTP/2.0");
    });
    join_all(answers).await;
    let opened = peers.lock().len();
    assert!((1..=2).contains(&opened), "{opened} connections");
}

/// Answers one request per connection with keep-alive, and closes.
async fn forgetful() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = stream.write_all(answer).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn connection_that_closed_while_idle_is_replaced() {
    let upstream = upstream(forgetful().await);
    for _ in 0..100 {
        let response = upstream.send(Protocol::Http1, get("/")).await.unwrap();
        assert_eq!(read(response).await, "ok");
    }
}

#[tokio::test]
async fn refused_connection_gives_the_request_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        match upstream(address).send(protocol, post("precious")).await {
            Err(SendError::NotSent {
                request,
                source: NotSentError::Dial(_),
            }) => {
                let (address, _stop, _) = remembering().await;
                let response = upstream(address).send(protocol, *request).await.unwrap();
                assert_eq!(response.status(), 200);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn connection_that_dies_with_the_request_is_no_reason_to_send_it_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    });
    let outcome = upstream(address).send(Protocol::Http1, post("once")).await;
    assert!(
        matches!(outcome, Err(SendError::Interrupted { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn request_that_a_reused_connection_swallowed_counts_as_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let _ = stream.read(&mut buffer).await;
    });
    let upstream = upstream(address);
    upstream.send(Protocol::Http1, get("/")).await.unwrap();
    let outcome = upstream.send(Protocol::Http1, get("/")).await;
    assert!(
        matches!(outcome, Err(SendError::Interrupted { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn slow_connect_is_given_up() {
    // A listener with a full backlog answers no SYN.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let _listener = socket.listen(1).unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    let settings = UpstreamSettings {
        connect_timeout: Duration::from_millis(50),
        ..UpstreamSettings::default()
    };
    let outcome = Upstream::new(address, settings)
        .send(Protocol::Http1, get("/"))
        .await;
    assert!(
        matches!(outcome, Err(SendError::NotSent { .. })),
        "{outcome:?}"
    );
}

/// Accepts one connection, answers once, and tells when the client has closed it.
async fn watching(closed: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
        closed.notify_one();
    });
    address
}

#[tokio::test]
async fn dropped_upstream_closes_its_idle_connections() {
    let closed = Arc::new(Notify::new());
    let upstream = upstream(watching(Arc::clone(&closed)).await);
    upstream.send(Protocol::Http1, get("/")).await.unwrap();
    drop(upstream);
    timeout(SOON, closed.notified()).await.unwrap();
}

#[tokio::test]
async fn idle_connection_expires() {
    let closed = Arc::new(Notify::new());
    let settings = UpstreamSettings {
        idle_timeout: Duration::from_millis(20),
        ..UpstreamSettings::default()
    };
    let upstream = Upstream::new(watching(Arc::clone(&closed)).await, settings);
    upstream.send(Protocol::Http1, get("/")).await.unwrap();
    timeout(SOON, closed.notified()).await.unwrap();
}
