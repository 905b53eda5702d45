use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, channel::mpsc};
use http::{HeaderMap, HeaderValue, Response, header::TE};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use net::{
    body::{Body, BodyError},
    upstream::{Protocol, SendError},
};
use tokio::{sync::Notify, time::timeout};

use crate::support::{app, get, post, proxy, read, upstream};

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, BodyError>>;

fn streamed() -> (Frames, Body) {
    let (frames, stream) = mpsc::unbounded();
    (frames, Body::boxed(StreamBody::new(stream.boxed())))
}

#[tokio::test]
async fn bodies_pass_both_ways_in_both_protocols() {
    let (address, _app) =
        app(|_, request| async { Response::new(request.into_body().into()) }).await;
    let (address, _proxy) = proxy(address, Arc::default()).await;
    let upstream = upstream(address);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let response = upstream
            .send(protocol, post("there and back"))
            .await
            .unwrap();
        assert_eq!(read(response).await, "there and back");
    }
}

#[tokio::test]
async fn each_piece_passes_at_once() {
    let more = Arc::new(Notify::new());
    let asked = Arc::clone(&more);
    let (address, _app) = app(move |_, _| {
        let asked = Arc::clone(&asked);
        async move {
            let (frames, body) = streamed();
            tokio::spawn(async move {
                for piece in ["one", "two"] {
                    let _ = frames.unbounded_send(Ok(Frame::data(Bytes::from(piece))));
                    asked.notified().await;
                }
            });
            Response::new(body)
        }
    })
    .await;
    let (address, _proxy) = proxy(address, Arc::default()).await;
    let mut body = upstream(address)
        .send(Protocol::Http1, get("/"))
        .await
        .unwrap()
        .into_body();
    for piece in ["one", "two"] {
        let frame = timeout(Duration::from_secs(5), body.frame()).await.unwrap();
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), piece);
        more.notify_one();
    }
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn trailers_pass() {
    let (address, _app) = app(|_, _| async {
        let (frames, body) = streamed();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let _ = frames.unbounded_send(Ok(Frame::data(Bytes::from("x"))));
        let _ = frames.unbounded_send(Ok(Frame::trailers(trailers)));
        let mut response = Response::new(body);
        let names = HeaderValue::from_static("grpc-status");
        response.headers_mut().insert("trailer", names);
        response
    })
    .await;
    let (address, _proxy) = proxy(address, Arc::default()).await;
    let upstream = upstream(address);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut request = get("/");
        request
            .headers_mut()
            .insert(TE, HeaderValue::from_static("trailers"));
        let response = upstream.send(protocol, request).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().expect("trailers");
        assert_eq!(trailers["grpc-status"], "0", "{protocol:?}");
    }
}

#[tokio::test]
async fn hop_by_hop_headers_stay_behind() {
    let (address, _app) = app(|_, request| async move {
        let mut names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        let mut response = Response::new(Body::from(names.join(" ")));
        let headers = response.headers_mut();
        headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
        headers.insert("x-kept", HeaderValue::from_static("1"));
        response
    })
    .await;
    let (address, _proxy) = proxy(address, Arc::default()).await;
    let mut request = get("/");
    for (name, value) in [
        ("connection", "x-secret, close"),
        ("x-secret", "1"),
        ("proxy-authorization", "x"),
        ("te", "gzip, trailers"),
        ("accept", "*/*"),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let response = upstream(address)
        .send(Protocol::Http1, request)
        .await
        .unwrap();
    assert!(response.headers().contains_key("x-kept"));
    assert!(!response.headers().contains_key("keep-alive"));
    assert_eq!(read(response).await, "accept host te");
}

#[tokio::test]
async fn request_in_flight_outlives_the_server_and_its_client_is_told() {
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let signals = (Arc::clone(&arrived), Arc::clone(&go_on));
    let (address, stop) = app(move |_, _| {
        let (arrived, go_on) = signals.clone();
        async move {
            arrived.notify_one();
            go_on.notified().await;
            Response::new(Body::from("late"))
        }
    })
    .await;
    let client = upstream(address);
    let request = tokio::spawn(async move { client.send(Protocol::Http1, get("/")).await });
    arrived.notified().await;
    drop(stop);
    let refused = async {
        loop {
            let fresh = upstream(address);
            if let Err(SendError::NotSent { .. }) = fresh.connect().await.map_err(|error| {
                let request = Box::new(get("/"));
                let source = error.into();
                SendError::NotSent { request, source }
            }) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), refused).await.unwrap();
    go_on.notify_one();
    let response = request.await.unwrap().unwrap();
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(read(response).await, "late");
}

#[tokio::test]
async fn guard_lives_until_the_body_has_ended() {
    let (frames, body) = streamed();
    let body = Arc::new(parking_lot::Mutex::new(Some(body)));
    let (address, _app) = app(move |_, _| {
        let body = body.lock().take().unwrap();
        async { Response::new(body) }
    })
    .await;
    let guard = Arc::new(());
    let (address, _proxy) = proxy(address, Arc::clone(&guard)).await;
    let idle = Arc::strong_count(&guard);
    let response = upstream(address)
        .send(Protocol::Http1, get("/"))
        .await
        .unwrap();
    assert_eq!(Arc::strong_count(&guard), idle + 1);
    drop(frames);
    read(response).await;
    assert_eq!(Arc::strong_count(&guard), idle);
}
