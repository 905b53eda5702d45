use std::{sync::Arc, time::Duration};

use net::upstream::{Upstream, UpstreamSettings};
use tokio::{net::TcpListener, time::Instant};

use super::{PATIENCE, Readiness, step};
use crate::checks::{Check, Checks};

/// A port that nobody listens on, yet.
async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

fn app(port: u16) -> Arc<Upstream> {
    Upstream::new(([127, 0, 0, 1], port).into(), UpstreamSettings::default())
}

fn of_port(port: u16) -> Readiness {
    Readiness::new(Checks::of_port(port), app(port))
}

#[tokio::test]
async fn question_waits_for_an_app_that_starts() {
    let port = free_port().await;
    let readiness = of_port(port);
    let watcher = readiness.clone();
    tokio::spawn(async move { watcher.watch_start().await });
    let (asker, asked) = (readiness.clone(), Instant::now());
    let answer = tokio::spawn(async move { asker.ask().await });
    tokio::task::yield_now().await;
    let _app = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    assert!(answer.await.unwrap());
    assert!(asked.elapsed() < PATIENCE);
}

#[tokio::test]
async fn app_that_stops_listening_is_not_ready() {
    let app = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let readiness = of_port(app.local_addr().unwrap().port());
    readiness.watch_start().await;
    drop(app);
    // Within its patience the answer is the last one while that is fresh, then a new one.
    readiness.ask().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!readiness.ask().await);
}

#[tokio::test]
async fn app_that_a_request_missed_is_not_ready_whatever_another_port_says() {
    let (health, port) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        free_port().await,
    );
    let spec = format!(
        r#"{{"tcpSocket":{{"port":{}}},"periodSeconds":1}}"#,
        health.local_addr().unwrap().port()
    );
    let check = Check::try_from_spec(serde_json::from_str(&spec).unwrap(), port).unwrap();
    let readiness = Readiness::new(Checks::new(vec![check]), app(port));
    readiness.watch_start().await;
    assert!(readiness.ask().await);
    readiness.app_is_gone();
    assert!(!readiness.ask().await);
    let _app = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    // What was answered last is news for a moment only.
    readiness.app_is_gone();
    assert!(readiness.ask().await);
}

#[tokio::test(start_paused = true)]
async fn app_that_never_listens_is_not_ready_after_our_patience() {
    let readiness = of_port(1);
    let asked = Instant::now();
    assert!(!readiness.ask().await);
    assert_eq!(asked.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn periodic_probe_is_asked_once_per_question() {
    let spec = serde_json::from_str(r#"{"tcpSocket":{},"periodSeconds":1,"timeoutSeconds":3}"#);
    let check = Check::try_from_spec(spec.unwrap(), 1).unwrap();
    let readiness = Readiness::new(Checks::new(vec![check]), app(1));
    // It was ready once; nothing listens on port 1 any more.
    readiness.answered(true);
    tokio::time::advance(Duration::from_secs(1)).await;
    let asked = Instant::now();
    assert!(!readiness.ask().await);
    assert!(asked.elapsed() < PATIENCE);
}

#[test]
fn steps_grow_with_the_time_since_the_start() {
    for (since, expect) in [(0, 5), (500, 10), (5_000, 100), (60_000, 200)] {
        assert_eq!(
            step(Duration::from_millis(since)),
            Duration::from_millis(expect)
        );
    }
}
