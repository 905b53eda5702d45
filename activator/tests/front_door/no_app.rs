//! Pods whose app is gone while their sidecar lives: they give back what they can't pass on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use net::body::Body;
use net::upstream::Protocol;
use tokio::net::TcpListener;

use crate::world::{HOST, World, client, get, request, settings};

/// A sidecar that has an app when `alive`; answers are the body that came.
async fn sidecar(alive: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let alive = Arc::clone(&alive);
            tokio::spawn(async move {
                let service = service_fn(|request| answer(request, alive.load(Ordering::Relaxed)));
                let builder = hyper::server::conn::http1::Builder::new();
                let _ = builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}

async fn answer(
    request: Request<Incoming>,
    alive: bool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = request.headers().contains_key("k-network-probe");
    let mut response = Response::new(match (asked, alive) {
        (true, true) => Bytes::from_static(b"queue").into(),
        (false, true) => request
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .into(),
        (_, false) => Full::default(),
    });
    if !alive {
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        let headers = response.headers_mut();
        headers.insert("k-not-reached", http::HeaderValue::from_static("app"));
    }
    Ok(response)
}

#[tokio::test]
async fn requests_of_a_pod_without_an_app_go_to_another_or_wait_for_it() {
    let world = World::new(settings());
    let (one, other) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(true)),
    );
    world.pod_ready("pod-1", sidecar(Arc::clone(&one)).await);
    world.pod_ready("pod-2", sidecar(Arc::clone(&other)).await);
    let client = client(world.addresses.external);
    for _ in 0..50 {
        let mut request = request(HOST, &[]).map(|_| Body::from("precious"));
        *request.method_mut() = Method::POST;
        let response = client.send(Protocol::Http1, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "precious");
    }
    other.store(false, Ordering::Relaxed);
    let held = tokio::spawn(async move { get(&client, HOST, &[]).await });
    world.wait_until_held(1).await;
    one.store(true, Ordering::Relaxed);
    let (status, headers, _) = held.await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(!headers.contains_key("k-not-reached"));
}
