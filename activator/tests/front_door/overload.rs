//! More requests than may wait: bounded by bytes, refused at once and so that the client hears it,
//! and other revisions don't notice.

use std::net::SocketAddr;
use std::time::Duration;

use activator::revision::{RevisionId, Settings};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::world::{HOST, World, pod, settings};

const BODY: usize = 64 * 1024;
/// What one waiting request with such a body and a small head costs.
const COST: usize = 32 * 1024 + BODY + 64;
const MEBIBYTES: usize = 4;
const MOST: usize = MEBIBYTES * 1024 * 1024 / COST;
static SENT: [u8; BODY] = [b'x'; BODY];

/// Sends a request with a body on a connection of its own.
async fn post(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {BODY}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&SENT).await.unwrap();
    stream
}

/// The first bytes of the answer; None if there is none for a while.
async fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut heard = vec![0; 1024];
    let read = timeout(Duration::from_millis(500), stream.read(&mut heard));
    let read = read.await.ok()?.unwrap();
    Some(String::from_utf8(heard[..read].to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_bound_are_refused_at_once_and_orderly() {
    let world = World::holding(settings(), MEBIBYTES);
    let mut streams = join_all((0..MOST).map(|_| post(world.addresses.external))).await;
    world.wait_until_held(MOST).await;
    let mut took = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let mut refused = post(world.addresses.external).await;
        let said = answer(&mut refused).await.unwrap();
        took.push(start.elapsed());
        assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
        assert!(said.contains("retry-after: 1\r\n"), "{said}");
        // Nothing was left unread: the same connection goes on.
        let probe = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
        refused.write_all(probe.as_bytes()).await.unwrap();
        streams.push(refused);
    }
    assert!(quickly(took) < Duration::from_millis(50));
    let (address, _) = pod(Duration::ZERO);
    world.pod_ready("pod-1", address);
    let mut good = 0;
    for stream in &mut streams[..MOST] {
        let said = answer(stream).await.unwrap();
        good += usize::from(said.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(good, MOST);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_revisions_do_not_notice() {
    let world = World::holding(settings(), MEBIBYTES);
    let other = RevisionId::new("shop", "other-00001");
    world.fleet.revision_changed(&other, Settings::default());
    let (address, _) = pod(Duration::ZERO);
    let state = activator::pods::PodState::Ready {
        address,
        restarts: 0,
    };
    world
        .fleet
        .pod_changed(&other, "pod-1", state, Instant::now());
    let _crowd = join_all((0..100).map(|_| post(world.addresses.external))).await;
    world.wait_until_held(MOST).await;
    let mut took = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let mut stream = TcpStream::connect(world.addresses.revision).await.unwrap();
        let request = "GET / HTTP/1.1\r\nhost: other-00001.shop.svc.cluster.local\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let said = answer(&mut stream).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        took.push(start.elapsed());
    }
    assert!(quickly(took) < Duration::from_millis(50));
}

/// What a quarter of them don't exceed: a busy machine delays the others.
fn quickly(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 4]
}
