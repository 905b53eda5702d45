use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, channel::mpsc, future::join_all};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use net::{
    body::{Body, BodyError},
    serve::{ServeSettings, serve},
    timeout::Limits,
    upstream::{Protocol, Upstream, UpstreamSettings},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Semaphore,
    time::timeout,
};

use super::Handler;
use crate::{args::Args, process};

mod no_app;
mod tls;

const SOON: Duration = Duration::from_secs(5);

/// What the app does, by path. `open` lets the requests to `/wait` go on.
#[derive(Debug)]
struct App {
    open: Semaphore,
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl App {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            "/headers" => {
                let mut lines: Vec<_> = request
                    .headers()
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                    .collect();
                lines.sort_unstable();
                Response::new(Body::from(lines.join("\n")))
            }
            "/wait" => {
                let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(inside, Ordering::SeqCst);
                self.open.acquire().await.unwrap().forget();
                self.inside.fetch_sub(1, Ordering::SeqCst);
                Response::new(Body::from("waited"))
            }
            "/stream" => {
                let (frames, stream) = mpsc::unbounded::<Result<Frame<Bytes>, BodyError>>();
                let first = Frame::data(Bytes::from_static(b"first "));
                frames.unbounded_send(Ok(first)).unwrap();
                // The end never comes.
                std::mem::forget(frames);
                Response::new(Body::boxed(StreamBody::new(stream.boxed())))
            }
            "/echo" => {
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let (mut from, mut to) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
                    tokio::io::copy(&mut from, &mut to).await
                });
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                let websocket = HeaderValue::from_static("websocket");
                response.headers_mut().insert("upgrade", websocket);
                response
            }
            "/lie" => {
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                let app = HeaderValue::from_static("app");
                response.headers_mut().insert("k-not-reached", app);
                response
            }
            _ => Response::new(Body::from("ok")),
        }
    }
}

/// An app behind a sidecar, and a client before it.
struct Pod {
    app: Arc<App>,
    sidecar: Arc<Handler>,
    client: Arc<Upstream>,
}

impl Pod {
    async fn new(limit: usize, limits: Limits) -> Self {
        let app = Arc::new(App {
            open: Semaphore::new(0),
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = Arc::clone(&app);
        let service = move |_| {
            let app = Arc::clone(&answering);
            service_fn(move |request| {
                let answer = Arc::clone(&app).answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            })
        };
        let forever = std::future::pending();
        tokio::spawn(serve(listener, ServeSettings::default(), service, forever));
        let mut sidecar = process::handler(&args(limit, port)).unwrap();
        sidecar.limits = limits;
        let sidecar = Arc::new(sidecar);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler = Arc::clone(&sidecar);
        let port = process::Port::plain(listener);
        let (bounds, never) = (ServeSettings::default(), std::future::pending());
        tokio::spawn(port.requests(handler, bounds, never));
        Self {
            app,
            sidecar,
            client: client(address),
        }
    }

    async fn unlimited() -> Self {
        Self::new(0, Limits::default()).await
    }

    async fn get(&self, path: &'static str, headers: &[(&'static str, &'static str)]) -> Answer {
        Answer::of(self.send(path, headers).await).await
    }

    async fn send(
        &self,
        path: &'static str,
        headers: &[(&'static str, &'static str)],
    ) -> Response<Body> {
        self.send_by(Protocol::Http1, path, headers).await
    }

    async fn send_by(
        &self,
        protocol: Protocol,
        path: &'static str,
        headers: &[(&'static str, &'static str)],
    ) -> Response<Body> {
        let mut request = Request::new(Body::Empty);
        *request.uri_mut() = http::Uri::from_static(path);
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("private.ns"));
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_static(value));
        }
        timeout(SOON, self.client.send(protocol, request))
            .await
            .unwrap()
            .unwrap()
    }

    async fn until_inside(&self, count: usize) {
        let inside = async {
            while self.app.inside.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, inside).await.unwrap();
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let status = response.status().as_u16();
        let body = timeout(SOON, response.into_body().collect()).await.unwrap();
        let text = String::from_utf8(body.unwrap().to_bytes().into()).unwrap();
        Self { status, text }
    }

    fn new(status: u16, text: &str) -> Self {
        let text = text.to_owned();
        Self { status, text }
    }
}

fn client(address: SocketAddr) -> Arc<Upstream> {
    Upstream::new(address, UpstreamSettings::default())
}

fn args(limit: usize, port: u16) -> Args {
    let (limit, port) = (limit.to_string(), port.to_string());
    Args::read(|name| {
        let value = match name {
            "CONTAINER_CONCURRENCY" => limit.as_str(),
            "USER_PORT" => port.as_str(),
            "QUEUE_SERVING_PORT" => "8012",
            "REVISION_TIMEOUT_SECONDS" => "300",
            "SERVING_NAMESPACE" | "SERVING_CONFIGURATION" | "SERVING_REVISION" | "SERVING_POD" => {
                "x"
            }
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}

#[tokio::test]
async fn app_sees_its_own_host_and_none_of_our_headers() {
    let pod = Pod::unlimited().await;
    let ours = [
        ("k-original-host", "hello.example.com"),
        ("k-proxy-request", "activator"),
        ("k-passthrough-lb", "true"),
        ("k-network-hash", "x"),
        ("knative-serving-revision", "r"),
        ("knative-serving-namespace", "n"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-user", "kept"),
    ];
    let answer = pod.get("/headers", &ours).await;
    let expect = "forwarded: for=1.2.3.4;proto=http, for=127.0.0.1\nhost: hello.example.com\n\
                  x-forwarded-for: 1.2.3.4, 127.0.0.1\nx-forwarded-proto: http\nx-user: kept";
    assert_eq!(answer, Answer::new(200, expect));
}

#[tokio::test]
async fn each_probe_gets_the_answer_of_its_dialect() {
    let pod = Pod::unlimited().await;
    pod.sidecar.readiness.watch_start().await;
    let bad = |value: &str| Answer::new(400, &format!("unexpected probe header value: {value}"));
    let table: [(&[(&'static str, &'static str)], Answer); 7] = [
        (&[("k-network-probe", "queue")], Answer::new(200, "queue")),
        (
            &[
                ("user-agent", "kube-probe/1.34"),
                ("k-network-probe", "queue"),
            ],
            Answer::new(200, "queue"),
        ),
        (&[("k-network-probe", "activator")], bad("activator")),
        (&[("k-network-probe", "what")], bad("what")),
        (&[("user-agent", "kube-probe/1.34")], bad("")),
        (
            &[("k-network-probe", "probe"), ("k-network-hash", "h")],
            Answer::new(200, ""),
        ),
        (&[("user-agent", "curl/8")], Answer::new(200, "ok")),
    ];
    for (headers, expect) in table {
        assert_eq!(pod.get("/healthz", headers).await, expect, "{headers:?}");
    }
    let hash = [("k-network-probe", "probe"), ("k-network-hash", "h")];
    let response = pod.send("/healthz", &hash).await;
    assert_eq!(response.headers()["k-network-hash"], "h");
}

#[tokio::test]
async fn limit_is_never_exceeded_and_overflow_is_turned_away() {
    let pod = Pod::new(2, Limits::default()).await;
    let requests = join_all((0..25).map(|_| pod.get("/wait", &[])));
    let opened = async {
        pod.until_inside(2).await;
        while pod.sidecar.slots.as_ref().unwrap().breaker().queued() < 20 {
            tokio::task::yield_now().await;
        }
        pod.app.open.add_permits(25);
    };
    let (answers, ()) = tokio::join!(requests, opened);
    let waited = answers.iter().filter(|a| **a == Answer::new(200, "waited"));
    let full = Answer::new(503, "pending request queue full");
    let refused = answers.iter().filter(|answer| **answer == full).count();
    assert_eq!((waited.count(), refused), (22, 3));
    assert_eq!(pod.app.most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn client_that_leaves_frees_its_slot() {
    let pod = Pod::new(1, Limits::default()).await;
    {
        let mut gone = std::pin::pin!(pod.get("/wait", &[]));
        tokio::select! {
            _ = &mut gone => unreachable!("the app lets nobody go"),
            () = pod.until_inside(1) => {}
        }
    }
    assert_eq!(pod.get("/", &[]).await, Answer::new(200, "ok"));
}

#[tokio::test]
async fn leaving_pod_fails_its_probes_and_serves_on() {
    let pod = Pod::unlimited().await;
    pod.sidecar.readiness.watch_start().await;
    let drain = pod.sidecar.drain.clone();
    tokio::spawn(async move { drain.run().await });
    tokio::task::yield_now().await;
    let probe = pod.get("/", &[("k-network-probe", "queue")]).await;
    assert_eq!(probe, Answer::new(503, "shutting down"));
    assert_eq!(pod.get("/", &[]).await, Answer::new(200, "ok"));
}

#[tokio::test]
async fn app_that_is_not_ready_is_said_to_be() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let handler = process::handler(&args(0, port)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (bounds, never) = (ServeSettings::default(), std::future::pending());
    tokio::spawn(process::Port::plain(listener).requests(Arc::new(handler), bounds, never));
    let ask = |probe: bool| {
        let mut request = Request::new(Body::Empty);
        let headers = request.headers_mut();
        headers.insert("host", HeaderValue::from_static("x"));
        if probe {
            headers.insert("k-network-probe", HeaderValue::from_static("queue"));
        }
        async move {
            Answer::of(
                client(address)
                    .send(Protocol::Http1, request)
                    .await
                    .unwrap(),
            )
            .await
        }
    };
    assert_eq!(ask(true).await, Answer::new(503, ""));
    let refused = ask(false).await;
    assert_eq!(refused.status, 502);
    assert!(refused.text.contains("dial tcp 127.0.0.1"), "{refused:?}");
}

#[tokio::test]
async fn time_in_the_line_counts_and_a_begun_answer_ends_cleanly() {
    let limits = Limits {
        total: Some(Duration::from_millis(60)),
        ..Limits::default()
    };
    let pod = Pod::new(1, limits).await;
    let timed_out = Answer::new(504, "request timeout");
    let (first, second) = tokio::join!(pod.get("/wait", &[]), pod.get("/wait", &[]));
    assert_eq!((&first, &second), (&timed_out, &timed_out));
    let begun = pod.get("/stream", &[]).await;
    assert_eq!(begun, Answer::new(200, "first request timeout"));
}

#[tokio::test]
async fn websocket_passes_and_holds_its_slot_until_it_closes() {
    let pod = Pod::new(1, Limits::default()).await;
    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")];
    let mut response = pod.send("/echo", &upgrade).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    stream.write_all(b"ping").await.unwrap();
    let mut echoed = [0; 4];
    timeout(SOON, stream.read_exact(&mut echoed))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&echoed, b"ping");
    assert_eq!(pod.sidecar.slots.as_ref().unwrap().breaker().in_flight(), 1);
    drop((stream, response));
    assert_eq!(pod.get("/", &[]).await, Answer::new(200, "ok"));
}

#[tokio::test]
async fn websocket_is_cut_when_its_time_is_over() {
    let limits = Limits {
        idle: Some(Duration::from_millis(50)),
        ..Limits::default()
    };
    let pod = Pod::new(0, limits).await;
    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")];
    let mut response = pod.send("/echo", &upgrade).await;
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    stream.write_all(b"ping").await.unwrap();
    let mut all = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all, b"ping");
}

#[tokio::test]
async fn slot_is_lent_until_its_stream_ends_or_the_pod_leaves() {
    let pod = Pod::new(1, Limits::default()).await;
    let ask = async |name: &'static str| {
        let headers = [("k-network-probe", "slot"), ("k-slot", name)];
        pod.send_by(Protocol::Http2, "/", &headers).await
    };
    let first = ask("x").await;
    assert_eq!(first.headers()["k-slot"], "x");
    assert_eq!(
        pod.get("/", &[("k-slot", "x")]).await,
        Answer::new(200, "ok")
    );
    assert_eq!(
        pod.get("/", &[("k-slot", "x")]).await,
        Answer::new(200, "ok")
    );
    let mut other = std::pin::pin!(pod.get("/", &[]));
    let (_, mut stream) = first.into_parts();
    let told = tokio::select! {
        told = stream.frame() => told.unwrap().unwrap(),
        _ = &mut other => unreachable!("the slot is lent"),
    };
    assert!(told.is_data());
    drop(stream);
    assert_eq!(other.await, Answer::new(200, "ok"));
    let (_, mut last) = ask("y").await.into_parts();
    pod.sidecar.drain.run().await;
    let ended = async { while last.frame().await.is_some() {} };
    timeout(SOON, ended).await.unwrap();
}

#[tokio::test]
async fn pod_without_a_limit_lends_nothing() {
    let pod = Pod::new(0, Limits::default()).await;
    let headers = [("k-network-probe", "slot"), ("k-slot", "x")];
    let refused = Answer::new(400, "unexpected probe header value: slot");
    assert_eq!(pod.get("/", &headers).await, refused);
}
