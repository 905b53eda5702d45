//! Clients that take more than their share: each test fails without the bound that it names.

use std::{future::ready, net::SocketAddr, sync::Arc, time::Duration};

use http::Response;
use net::{
    body::Body,
    refusal::Refusal,
    serve::{HeadLimits, ServeSettings},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

use crate::{
    frames::{self, ENHANCE_YOUR_CALM, GOAWAY, REFUSED_STREAM, RST_STREAM, SETTINGS},
    support::{Stop, bounded, bounded_proxy},
    upgrades::echo,
};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

async fn hello(settings: ServeSettings) -> (SocketAddr, Stop) {
    bounded(settings, |_, _| async {
        Response::new(Body::from("hello"))
    })
    .await
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// What comes until the end of the connection.
async fn hear_all(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let read = timeout(LONG, stream.read_to_end(&mut heard)).await;
    // A reset after the last word is an end, too.
    let _ = read.expect("the connection ends");
    String::from_utf8(heard).unwrap()
}

/// What comes until `end` did.
async fn hear(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        heard.push(timeout(LONG, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn head_beyond_its_bounds_is_answered_431_or_414() {
    let head = HeadLimits {
        bytes: 10_000,
        uri: 100,
        ..HeadLimits::default()
    };
    let settings = ServeSettings {
        head,
        ..ServeSettings::default()
    };
    let (address, _stop) = bounded(settings, move |_, request| {
        let refused = head.admit(&request).err().map(Refusal::into_response);
        ready(refused.unwrap_or_default())
    })
    .await;
    let long = format!("x: {}\r\n", "y".repeat(11_000));
    let many = "x: y\r\n".repeat(101);
    let path = "y".repeat(100);
    let cases = [
        ("", long.as_str(), "431"),
        ("", &long.repeat(10), "431"),
        ("", &many, "431"),
        (&path, "", "414"),
        ("", "x: y\r\n", "200"),
    ];
    for (path, headers, expected) in cases {
        let mut stream = connect(address).await;
        let close = "connection: close\r\n";
        let request = format!("GET /{path} HTTP/1.1\r\nhost: a\r\n{close}{headers}\r\n");
        say(&mut stream, &request).await;
        let heard = hear_all(&mut stream).await;
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {expected}")),
            "{heard}"
        );
    }
}

#[tokio::test]
async fn slow_head_is_answered_408_and_a_pause_between_requests_is_not() {
    let (address, _stop) = hello(ServeSettings {
        header_timeout: SHORT,
        ..ServeSettings::default()
    })
    .await;
    let mut stream = connect(address).await;
    sleep(2 * SHORT).await;
    for _ in 0..2 {
        say(&mut stream, REQUEST).await;
        hear(&mut stream, "hello").await;
        sleep(2 * SHORT).await;
    }
    let start = Instant::now();
    let drip = async {
        for byte in b"GET / HTTP/1.1\r\nhost: a" {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            sleep(SHORT / 20).await;
        }
    };
    // Nobody reads meanwhile: the answer waits in the socket.
    drip.await;
    let heard = hear_all(&mut stream).await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn connection_without_requests_is_closed_and_one_with_a_request_is_not() {
    let (address, _stop) = bounded(
        ServeSettings {
            idle_timeout: SHORT,
            ..ServeSettings::default()
        },
        |_, _| async {
            sleep(3 * SHORT).await;
            Response::new(Body::from("hello"))
        },
    )
    .await;
    let mut silent = connect(address).await;
    let mut used = connect(address).await;
    say(&mut used, REQUEST).await;
    let heard = hear_all(&mut used).await;
    assert!(heard.ends_with("hello"), "{heard}");
    assert_eq!(hear_all(&mut silent).await, "");
}

#[tokio::test]
async fn idle_connection_of_http2_is_told_before_it_is_closed() {
    let (address, _stop) = hello(ServeSettings {
        idle_timeout: SHORT,
        ..ServeSettings::default()
    })
    .await;
    let mut stream = connect(address).await;
    frames::say(&mut stream, &[frames::get(1)]).await;
    let farewell = frames::hear_until(&mut stream, |frame| frame.kind == GOAWAY);
    let farewell = timeout(LONG, farewell).await.unwrap().unwrap();
    assert_eq!(farewell.code(), Some(0));
}

#[tokio::test]
async fn tunnel_is_not_idle() {
    let (app, _app) = echo().await;
    let settings = ServeSettings {
        idle_timeout: SHORT,
        header_timeout: SHORT,
        ..ServeSettings::default()
    };
    let (address, _stop) = bounded_proxy(settings, app, Arc::default()).await;
    let mut stream = connect(address).await;
    let upgrade = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    say(&mut stream, upgrade).await;
    let heard = hear(&mut stream, "\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 101"), "{heard}");
    sleep(3 * SHORT).await;
    say(&mut stream, "still here").await;
    hear(&mut stream, "still here").await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let (address, _stop) = hello(ServeSettings {
        max_connections: 2,
        ..ServeSettings::default()
    })
    .await;
    let mut first = connect(address).await;
    let mut second = connect(address).await;
    for stream in [&mut first, &mut second] {
        say(stream, REQUEST).await;
        hear(stream, "hello").await;
    }
    let mut third = connect(address).await;
    say(&mut third, REQUEST).await;
    assert!(timeout(SHORT, third.readable()).await.is_err());
    drop(first);
    hear(&mut third, "hello").await;
}

#[tokio::test]
async fn streams_beyond_the_bound_are_refused() {
    let gate = Arc::new(Semaphore::new(0));
    let (address, _stop) = bounded(
        ServeSettings {
            max_streams: 3,
            ..ServeSettings::default()
        },
        move |_, _| {
            let gate = Arc::clone(&gate);
            async move {
                drop(gate.acquire().await);
                Response::new(Body::Empty)
            }
        },
    )
    .await;
    let mut stream = connect(address).await;
    let gets: Vec<_> = (0..4).map(|index| frames::get(2 * index + 1)).collect();
    frames::say(&mut stream, &gets).await;
    let promised = timeout(LONG, frames::hear(&mut stream))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(promised.kind, SETTINGS);
    assert!(
        promised
            .payload
            .chunks(6)
            .any(|setting| setting == [0, 3, 0, 0, 0, 3])
    );
    let refused = frames::hear_until(&mut stream, |frame| frame.kind == RST_STREAM);
    let refused = timeout(LONG, refused).await.unwrap().unwrap();
    assert_eq!((refused.stream, refused.code()), (7, Some(REFUSED_STREAM)));
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let settings = |max_resets| ServeSettings {
        max_resets,
        ..ServeSettings::default()
    };
    let attack: Vec<_> = (0..200)
        .flat_map(|index| [frames::get(2 * index + 1), frames::reset(2 * index + 1)])
        .collect();
    for (bound, ends) in [(50, true), (1000, false)] {
        let (address, _stop) = hello(settings(bound)).await;
        let mut stream = connect(address).await;
        frames::say(&mut stream, &attack).await;
        stream.write_all(&frames::get(401)).await.unwrap();
        let is_verdict = |frame: &frames::Frame| frame.kind == GOAWAY || frame.stream == 401;
        let verdict = frames::hear_until(&mut stream, is_verdict);
        let verdict = timeout(LONG, verdict).await.unwrap().unwrap();
        let expected = ends.then_some(ENHANCE_YOUR_CALM);
        assert_eq!(verdict.code(), expected, "bound {bound}");
    }
}
