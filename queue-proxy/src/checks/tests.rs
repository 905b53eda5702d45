use std::{convert::Infallible, net::SocketAddr};

use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use net::{
    body::Body,
    serve::{ServeSettings, serve},
};
use tokio::net::TcpListener;

use super::{Check, Checks};

/// An app that is ready on `/ready`, wants a header on `/header`, and speaks gRPC health.
async fn app() -> SocketAddr {
    async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let mut response = Response::new(Body::Empty);
        let headers = request.headers();
        let asked = headers.contains_key("x-probe")
            && headers["user-agent"]
                .to_str()
                .is_ok_and(|agent| agent.starts_with("kube-probe/"));
        *response.status_mut() = match request.uri().path() {
            "/ready" => StatusCode::NO_CONTENT,
            "/moved" => StatusCode::FOUND,
            "/http2" if request.version() == http::Version::HTTP_2 => StatusCode::OK,
            "/header" if asked => StatusCode::OK,
            "/grpc.health.v1.Health/Check" => {
                *response.body_mut() = Body::Full(vec![0, 0, 0, 0, 2, 8, 1].into());
                StatusCode::OK
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Ok(response)
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = |_| service_fn(answer);
    tokio::spawn(serve(
        listener,
        ServeSettings::default(),
        service,
        std::future::pending(),
    ));
    address
}

#[tokio::test]
async fn app_is_asked_as_its_author_wants() {
    let port = app().await.port();
    let table = [
        (r#"{"httpGet":{"path":"/ready"}}"#, true),
        (r#"{"httpGet":{"path":"/moved?x=y"}}"#, true),
        (r#"{"httpGet":{"path":"/not"}}"#, false),
        (
            r#"{"httpGet":{"path":"header","httpHeaders":[{"name":"X-Probe","value":"1"}]}}"#,
            true,
        ),
        (
            r#"{"httpGet":{"path":"/not-asked","scheme":"HTTPS"}}"#,
            true,
        ),
        (r#"{"tcpSocket":{}}"#, true),
        (r#"{"tcpSocket":{"port":1}}"#, false),
        (r#"{"grpc":{"service":"x"}}"#, true),
        (r#"{"exec":{"command":["x"]}}"#, true),
    ];
    for (json, expect) in table {
        let spec = serde_json::from_str(json).unwrap();
        let checks = Checks::new(vec![Check::try_from_spec(spec, port).unwrap()]);
        assert_eq!(checks.pass().await, expect, "{json}");
    }
}

#[tokio::test]
async fn app_of_http2_is_ready_where_that_is_detected() {
    let port = app().await.port();
    for (path, detects, expect) in [
        ("/http2", false, false),
        ("/http2", true, true),
        ("/ready", true, true),
        ("/not", true, false),
    ] {
        let spec = format!(r#"{{"httpGet":{{"path":"{path}"}}}}"#);
        let spec = serde_json::from_str(&spec).unwrap();
        let check = Check::try_from_spec(spec, port).unwrap();
        let checks = Checks::new(vec![check.detecting_http2(detects)]);
        assert_eq!(checks.pass().await, expect, "{path} {detects}");
    }
}

#[tokio::test]
async fn one_container_that_is_not_ready_is_enough() {
    let port = app().await.port();
    let check = |json| Check::try_from_spec(serde_json::from_str(json).unwrap(), port).unwrap();
    let good = check(r#"{"httpGet":{"path":"/ready"}}"#);
    let bad = check(r#"{"httpGet":{"path":"/not"}}"#);
    assert!(Checks::new(vec![good.clone(), good.clone()]).pass().await);
    let both = Checks::new(vec![good, bad]);
    assert!(!both.pass().await && both.listen().await && !both.only_listen());
}

#[test]
fn probe_that_can_not_be_asked_is_refused() {
    for json in [
        r#"{"httpGet":{"host":"example.com"}}"#,
        r#"{"httpGet":{"path":"/a b"}}"#,
        r#"{"httpGet":{"httpHeaders":[{"name":"a b","value":"1"}]}}"#,
    ] {
        let spec = serde_json::from_str(json).unwrap();
        assert!(Check::try_from_spec(spec, 8080).is_err(), "{json}");
    }
}
