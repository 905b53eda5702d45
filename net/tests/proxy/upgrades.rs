use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Response, StatusCode};
use hyper_util::rt::TokioIo;
use net::{
    body::Body,
    tunnel::{Patience, Tunnel},
    upstream::Protocol,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};

use crate::support::{Stop, app, get, proxy, upstream};

const SOON: Duration = Duration::from_secs(5);

/// An app that echoes after an upgrade.
pub(crate) async fn echo() -> (SocketAddr, Stop) {
    app(|_, mut request| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut buffer = [0; 64];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                stream.write_all(&buffer[..read]).await.unwrap();
            }
        });
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        response
    })
    .await
}

async fn upgraded(address: SocketAddr) -> TokioIo<hyper::upgrade::Upgraded> {
    let mut request = get("/");
    let headers = request.headers_mut();
    headers.insert(
        "connection",
        HeaderValue::from_static("keep-alive, Upgrade"),
    );
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    let upstream = upstream(address);
    let mut response = upstream.send(Protocol::Http1, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["upgrade"], "websocket");
    TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap())
}

#[tokio::test]
async fn upgraded_connection_echoes_and_holds_its_guard() {
    let (address, _app) = echo().await;
    let guard = Arc::new(());
    let (address, _proxy) = proxy(address, Arc::clone(&guard)).await;
    let idle = Arc::strong_count(&guard);
    let mut stream = upgraded(address).await;
    for text in ["hello", "again"] {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut buffer = [0; 5];
        timeout(SOON, stream.read_exact(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&buffer, text.as_bytes());
    }
    assert_eq!(Arc::strong_count(&guard), idle + 1);
    drop(stream);
    let freed = async {
        while Arc::strong_count(&guard) > idle {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, freed).await.unwrap();
}

/// What a tunnel without any traffic does.
async fn outlives(patience: Patience, time: Duration) -> bool {
    let tunnel = Tunnel::default();
    let guard = Arc::new(());
    tunnel.hold(Arc::clone(&guard));
    tunnel.limit(patience);
    timeout(time, tunnel.was_cut()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn each_limit_cuts_a_silent_tunnel() {
    let (short, long) = (Duration::from_secs(10), Duration::from_secs(20));
    let at = Instant::now() + short;
    let endless = Patience::ENDLESS;
    assert!(outlives(endless, long).await);
    for patience in [
        Patience {
            until: Some(at),
            ..endless
        },
        Patience {
            first: Some(at),
            ..endless
        },
        Patience {
            idle: Some(short),
            ..endless
        },
    ] {
        assert!(!outlives(patience, long).await, "{patience:?}");
    }
}
