//! Apps, proxies and clients for the tests.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::HOST};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::service_fn};
use net::{
    body::Body,
    forward::{finish, hold, prepare},
    refusal::Refusal,
    serve::{ServeSettings, serve},
    upstream::{Protocol, Upstream, UpstreamSettings},
};
use tokio::{net::TcpListener, sync::oneshot};

/// Serves until the sender is used or dropped.
pub(crate) type Stop = oneshot::Sender<()>;

pub(crate) async fn app<F, A>(answer: F) -> (SocketAddr, Stop)
where
    F: Fn(SocketAddr, Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    bounded(ServeSettings::default(), answer).await
}

/// The same with bounds of the test's own.
pub(crate) async fn bounded<F, A>(settings: ServeSettings, answer: F) -> (SocketAddr, Stop)
where
    F: Fn(SocketAddr, Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = move |peer| {
        let answer = answer.clone();
        service_fn(move |request| {
            let response = answer(peer, request);
            async move { Ok::<_, Infallible>(response.await) }
        })
    };
    tokio::spawn(serve(listener, settings, service, async {
        let _ = stopped.await;
    }));
    (address, stop)
}

/// Forwards everything to `app`; each request holds a clone of `guard`.
pub(crate) async fn proxy(app: SocketAddr, guard: Arc<()>) -> (SocketAddr, Stop) {
    bounded_proxy(ServeSettings::default(), app, guard).await
}

/// The same with bounds of the test's own.
pub(crate) async fn bounded_proxy(
    settings: ServeSettings,
    app: SocketAddr,
    guard: Arc<()>,
) -> (SocketAddr, Stop) {
    let upstream = upstream(app);
    // Connections share the outer count, requests have the inner one.
    let guard = Arc::new(guard);
    bounded(settings, move |_, request| {
        let (upstream, guard) = (Arc::clone(&upstream), Arc::clone(&guard));
        async move {
            let (protocol, mut request) = (Protocol::of(&request), request.map(Body::from));
            let upgrade = prepare(&mut request);
            match upstream.send(protocol, request).await {
                Ok(response) => {
                    hold(finish(response, upgrade), Arc::clone(&*guard)).map(Body::boxed)
                }
                Err(error) => Refusal::from(&error).into_response(),
            }
        }
    })
    .await
}

pub(crate) fn upstream(address: SocketAddr) -> Arc<Upstream> {
    Upstream::new(address, UpstreamSettings::default())
}

pub(crate) fn get(path: &'static str) -> Request<Body> {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = Uri::from_static(path);
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_static("app.example"));
    request
}

pub(crate) fn post(body: &'static str) -> Request<Body> {
    let mut request = get("/").map(|_| Body::from(body));
    *request.method_mut() = http::Method::POST;
    request
}

pub(crate) async fn read(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}
