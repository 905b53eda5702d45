//! The app is gone: killed, and not started again yet.

use http::{HeaderValue, Method, Request};
use net::resend::MOST;

use super::{
    Arc, Body, Handler, Infallible, Pod, Protocol, Response, SOON, ServeSettings, SocketAddr,
    TcpListener, args, client, process, serve, service_fn, timeout,
};

const PROXIED: (&str, &str) = ("k-proxy-request", "activator");

/// A sidecar whose app has been ready once, and where the app was.
async fn bereaved() -> (Arc<Handler>, SocketAddr, SocketAddr) {
    let app = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = app.local_addr().unwrap();
    let sidecar = Arc::new(process::handler(&args(0, place.port())).unwrap());
    sidecar.readiness.watch_start().await;
    drop(app);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (handler, bounds) = (Arc::clone(&sidecar), ServeSettings::default());
    let forever = std::future::pending();
    tokio::spawn(process::Port::plain(listener).requests(handler, bounds, forever));
    (sidecar, address, place)
}

/// The app is there again.
async fn revive(place: SocketAddr) {
    let listener = TcpListener::bind(place).await.unwrap();
    let service =
        |_| service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::from("back"))) });
    let forever = std::future::pending();
    tokio::spawn(serve(listener, ServeSettings::default(), service, forever));
}

async fn post(
    address: SocketAddr,
    headers: &[(&'static str, &'static str)],
    body: &'static [u8],
) -> Response<Body> {
    let mut request = Request::new(Body::from(bytes::Bytes::from_static(body)));
    *request.method_mut() = Method::POST;
    let all = headers.iter().chain(&[("host", "a")]);
    for (name, value) in all {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(*name, value);
    }
    let sent = client(address);
    let sent = sent.send(Protocol::Http1, request);
    timeout(SOON, sent).await.unwrap().unwrap()
}

#[tokio::test]
async fn activator_gets_back_what_can_not_have_reached_the_app() {
    let (sidecar, address, place) = bereaved().await;
    let response = post(address, &[PROXIED], b"small").await;
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["k-not-reached"], "app");
    assert!(!sidecar.readiness.ask().await, "it is not ready any more");
    revive(place).await;
    assert!(sidecar.readiness.ask().await);
    assert_eq!(post(address, &[PROXIED], b"small").await.status(), 200);
}

#[tokio::test]
async fn what_nobody_can_send_elsewhere_waits_for_the_app() {
    static LONG: [u8; MOST + 1] = [b'x'; MOST + 1];
    let (sidecar, address, place) = bereaved().await;
    let waiting = async {
        tokio::join!(
            post(address, &[], b"from somebody else"),
            post(address, &[PROXIED], &LONG)
        )
    };
    let back = async {
        // Until the app was missed.
        while sidecar.readiness.ask().await {
            tokio::task::yield_now().await;
        }
        revive(place).await;
    };
    let ((direct, long), ()) = tokio::join!(waiting, back);
    for response in [direct, long] {
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("k-not-reached"));
    }
}

#[tokio::test]
async fn app_can_not_say_that_it_was_not_reached() {
    let pod = Pod::unlimited().await;
    let response = pod.send("/lie", &[PROXIED]).await;
    assert_eq!(response.status(), 502);
    assert!(!response.headers().contains_key("k-not-reached"));
}
