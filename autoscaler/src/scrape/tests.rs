use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use crds::networking::SksMode;
use jiff::Timestamp;
use net::stat::Stat;
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpListener;

use super::{ScrapeError, Target, is_needed, order, sample_size, scrape};
use crate::ledger::Sample;

const NOBODY: &str = "127.0.0.1:1";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

#[test]
fn samples_grow_slower_than_populations() {
    for (population, expected) in [
        (0, 0),
        (1, 1),
        (3, 3),
        (4, 4),
        (10, 7),
        (20, 9),
        (50, 12),
        (100, 14),
        (500, 15),
        (1000, 16),
        (100_000, 16),
    ] {
        assert_eq!(sample_size(population), expected, "of {population}");
    }
}

#[test]
fn old_pods_are_asked_first() {
    let target = |port: u16, started: Option<i64>| Target {
        address: SocketAddr::from(([10, 0, 0, 1], port)),
        started: started.map(at),
    };
    let targets = vec![
        target(1, Some(50)),
        target(2, Some(0)),
        target(3, None),
        target(4, Some(10)),
    ];
    for seed in 0..20 {
        let mut chance = StdRng::seed_from_u64(seed);
        let order = order(
            targets.clone(),
            Duration::from_secs(60),
            at(70),
            &mut chance,
        );
        let mut ports: Vec<_> = order.iter().map(SocketAddr::port).collect();
        ports[..2].sort_unstable();
        ports[2..].sort_unstable();
        assert_eq!(ports, [2, 4, 1, 3]);
    }
}

#[test]
fn pods_are_asked_only_where_requests_pass_activators_by() {
    use SksMode::{Proxy, Serve};
    let (silent, heard) = (Some(at(0)), Some(at(96)));
    for (mode, ready, ours, reported, expected) in [
        (Serve, 1, true, None, true),
        (Serve, 1, true, silent, true),
        (Serve, 1, true, heard, false),
        (Serve, 1, false, heard, true),
        (Serve, 0, false, None, false),
        (Proxy, 1, false, None, false),
        (Proxy, 1, true, silent, false),
    ] {
        assert_eq!(
            is_needed(mode, ready, ours, reported, at(100)),
            expected,
            "{mode:?}, {ready} ready, ours {ours}, reported {reported:?}"
        );
    }
}

/// A pod with three requests, of which an activator has told one.
async fn pod() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = |headers: HeaderMap| async move {
        assert_eq!(headers["accept"], "application/protobuf");
        let stat = Stat {
            average_concurrent_requests: 3.0,
            average_proxied_concurrent_requests: 1.0,
            request_count: 9.0,
            proxied_request_count: 4.0,
            ..Stat::default()
        };
        stat.encode_to_vec()
    };
    let app = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn a_sample_stands_for_all_pods_and_proxied_requests_count_once() {
    let pod = pod().await;
    let mut pods = vec![pod; 9];
    // One does not answer: another stands in.
    pods.insert(2, NOBODY.parse().unwrap());
    let load = scrape(pods).await.unwrap();
    assert_eq!(
        load,
        Sample {
            concurrency: 20.0,
            requests: 50.0
        }
    );
}

#[tokio::test]
async fn too_few_answers_are_no_answer() {
    let mut pods = vec![pod().await; 2];
    pods.push(NOBODY.parse().unwrap());
    let error = scrape(pods).await.unwrap_err();
    let ScrapeError::TooFew {
        answers, needed, ..
    } = error;
    assert_eq!((answers, needed), (2, 3));
}
