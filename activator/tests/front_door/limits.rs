//! How long requests may take at the front door, and what it asks of their clients meanwhile.

use std::time::Duration;

use activator::revision::Settings;
use net::timeout::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::world::{HOST, World, client, get, pod, settings, with_timeout};

const SOON: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_millis(200);
/// Nothing may come for so long.
const SILENCE: Duration = Duration::from_millis(400);

/// A pod that says `answer` to its one client, and then whatever that says.
async fn pod_saying(answer: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await
    });
    address
}

async fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 1024];
    let length = timeout(SOON, stream.read(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes[..length.unwrap()]).into_owned()
}

/// A body that waits here would cost memory, and most of a client's time.
#[tokio::test]
async fn body_of_a_held_request_is_asked_for_when_there_is_a_pod() {
    let world = World::new(settings());
    let mut stream = TcpStream::connect(world.addresses.external).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    world.wait_until_held(1).await;
    assert!(timeout(SILENCE, stream.readable()).await.is_err());
    world.pod_up("pod-1", pod(Duration::ZERO).0);
    assert_eq!(heard(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    assert!(heard(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn begun_answer_keeps_its_status_and_says_why_it_ends() {
    let world = World::new(with_timeout(LIMIT));
    let begun = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nfirst \r\n";
    world.pod_ready("pod-1", pod_saying(begun).await);
    let door = client(world.addresses.external);
    let answer = get(&door, HOST, &[]);
    let (status, _, text) = timeout(SOON, answer).await.unwrap();
    assert_eq!(
        (status.as_u16(), text.as_str()),
        (200, "first activator request timeout")
    );
}

/// Upstream cuts it (contract/data-plane 8.6): the answer has begun long ago.
#[tokio::test]
async fn conversation_outlives_the_limit_for_the_beginning_of_an_answer() {
    let limits = Limits {
        response_start: Some(LIMIT),
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        ..settings()
    };
    let world = World::new(settings);
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                  upgrade: websocket\r\n\r\nhello";
    world.pod_ready("pod-1", pod_saying(agreed).await);
    let mut stream = TcpStream::connect(world.addresses.external).await.unwrap();
    let ask = format!(
        "GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut said = String::new();
    while !said.ends_with("hello") {
        said += &heard(&mut stream).await;
    }
    assert!(timeout(SILENCE, stream.readable()).await.is_err());
    stream.write_all(b"still here").await.unwrap();
    assert_eq!(heard(&mut stream).await, "still here");
}
