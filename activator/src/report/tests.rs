use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use net::stat::WireStatMessages;
use prometheus::Registry;
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::{Reporter, build, until_mid_second};
use crate::fleet::{Fleet, Member};
use crate::metrics::Metrics;
use crate::revision::{RevisionId, Settings};

struct World {
    metrics: Arc<Metrics>,
    fleet: Arc<Fleet>,
}

impl World {
    fn new() -> Self {
        let metrics = Arc::new(Metrics::new(&Registry::new(), "activator-1").unwrap());
        let fleet = Fleet::new(1_000_000, Arc::clone(&metrics));
        Self { metrics, fleet }
    }

    fn member(&self, name: &str) -> Arc<Member> {
        let id = RevisionId::new("shop", name);
        self.fleet.revision_changed(&id, Settings::default());
        self.fleet.get(&id).unwrap().0
    }

    /// Reporting without a socket: the frames come out of the channel.
    fn reporting(&self) -> (Reporter, mpsc::Receiver<Bytes>) {
        let (reporter, reports, socket) =
            build(String::new(), "activator-1".into(), &self.metrics.stats);
        tokio::spawn(reports.run(Duration::ZERO));
        (reporter, socket.frames)
    }
}

fn read(frame: &[u8]) -> Vec<(String, f64, f64)> {
    let messages = WireStatMessages::decode(frame).unwrap().messages;
    let read = |message: net::stat::WireStatMessage| {
        let stat = message.stat.unwrap();
        assert_eq!(stat.pod_name, "activator-1");
        let name = format!("{}/{}", message.namespace, message.name);
        (name, stat.average_concurrent_requests, stat.request_count)
    };
    messages.into_iter().map(read).collect()
}

#[tokio::test(start_paused = true)]
async fn first_request_of_an_idle_revision_is_told_at_once_then_each_second() {
    let world = World::new();
    let (reporter, mut frames) = world.reporting();
    let member = world.member("cart-00001");
    let start = Instant::now();
    let first = reporter.enter(&member, start);
    let second = reporter.enter(&member, start);
    let cart = |concurrency, count| vec![("shop/cart-00001".to_owned(), concurrency, count)];
    assert_eq!(read(&frames.recv().await.unwrap()), cart(1.0, 1.0));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(read(&frames.recv().await.unwrap()), cart(1.0, 1.0));
    assert_eq!(read(&frames.recv().await.unwrap()), cart(2.0, 0.0));
    drop((first, second));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(frames.recv().now_or_never().is_none());
    let _again = reporter.enter(&member, Instant::now());
    assert_eq!(read(&frames.recv().await.unwrap()), cart(1.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn late_report_tells_the_average_of_its_longer_time() {
    let world = World::new();
    let (reporter, mut frames) = world.reporting();
    let member = world.member("cart-00001");
    let start = Instant::now();
    let _two = [(); 2].map(|()| reporter.enter(&member, start));
    frames.recv().await.unwrap();
    frames.recv().await.unwrap();
    let due = Duration::from_secs(1);
    let late = due + Duration::from_millis(600);
    let _third = reporter.enter(&member, Instant::now() + due + Duration::from_millis(500));
    tokio::time::advance(late).await;
    let told = read(&frames.recv().await.unwrap());
    let average = (2.0 * 1.5 + 3.0 * 0.1) / late.as_secs_f64();
    assert!((told[0].1 - average).abs() < 1e-6, "{told:?}");
}

#[test]
fn reports_are_due_in_the_middle_of_a_second() {
    for (wall, pause) in [
        (0, 500),
        (200, 300),
        (499, 1),
        (500, 1000),
        (501, 999),
        (7_900, 600),
    ] {
        let [wall, pause] = [wall, pause].map(Duration::from_millis);
        assert_eq!(until_mid_second(wall), pause, "at {wall:?}");
    }
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    accept_async(listener.accept().await.unwrap().0)
        .await
        .unwrap()
}

async fn next_frame(stream: &mut WebSocketStream<TcpStream>) -> Bytes {
    loop {
        if let Message::Binary(frame) = stream.next().await.unwrap().unwrap() {
            return frame;
        }
    }
}

#[tokio::test]
async fn requests_that_wait_are_told_again_when_the_autoscaler_comes_back() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (reporter, reports, socket) = build(url, "activator-1".into(), &world.metrics.stats);
    tokio::spawn(reports.run(Duration::ZERO));
    tokio::spawn(socket.run());
    let mut stream = accept(&listener).await;
    let member = world.member("cart-00001");
    let _present = reporter.enter(&member, Instant::now());
    let waiting = {
        let throttle = Arc::clone(member.throttle());
        tokio::spawn(async move { throttle.acquire(None, 1).await })
    };
    assert_eq!(read(&next_frame(&mut stream).await)[0].0, "shop/cart-00001");
    stream.close(None).await.unwrap();
    drop(stream);
    let mut stream = accept(&listener).await;
    assert_eq!(read(&next_frame(&mut stream).await)[0].0, "shop/cart-00001");
    assert_eq!(world.metrics.stats.reachable.get(), 1);
    stream.send(Message::Ping(Bytes::new())).await.unwrap();
    waiting.abort();
}
