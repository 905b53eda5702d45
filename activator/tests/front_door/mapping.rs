//! Hosts that lead to other hosts, or to core Services (DomainMapping).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use activator::revision::Settings;
use bytes::Bytes;
use crds::networking::{Ingress, IngressRule};
use crds::revision::AppProtocol;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use net::body::Body;
use net::upstream::Protocol;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::NO_WORK;
use crate::world::{World, client, get, pod, settings};

const DOMAIN: &str = "shop.example.org";

/// Adds the rule of a mapping of [`DOMAIN`] to the host `to`, behind which is the core Service `cart`
/// with that port.
fn map(ingress: &mut Ingress, to: &str, port: u16) {
    let rule: IngressRule = serde_json::from_value(json!({
        "hosts": [DOMAIN], "visibility": "ExternalIP",
        "http": {"paths": [{"rewriteHost": to, "splits": [{
            "serviceNamespace": "shop", "serviceName": "cart", "servicePort": port, "percent": 100,
            "appendHeaders": {"K-Original-Host": DOMAIN},
        }]}]},
    }))
    .unwrap();
    ingress.spec.rules.push(rule);
}

/// [`DOMAIN`] leads to the Route `cart`, whose core Service is no more than a name.
fn to_route(settings: Settings) -> World {
    World::with(settings, |ingress| map(ingress, "cart.shop", 80))
}

/// [`DOMAIN`] leads to the core Service `cart` at `address`, whose port has that name.
fn to_service(address: SocketAddr, port_name: &str) -> World {
    let host = "cart.shop.svc.cluster.local";
    let world = World::with(settings(), |ingress| map(ingress, host, address.port()));
    let service = json!({"spec": {
        "clusterIP": address.ip().to_string(),
        "ports": [{"name": port_name, "port": address.port()}],
    }});
    let service = serde_json::from_value(service).unwrap();
    world.services.insert("shop/cart".to_owned(), &service);
    world
}

#[tokio::test]
async fn mapped_domain_is_answered_by_the_pods_of_the_route() {
    let world = to_route(settings());
    let (address, _) = pod(NO_WORK);
    world.pod_ready("pod-1", address);
    let claims = [("k-original-host", "evil.com")];
    let (status, _, text) = get(&client(world.addresses.external), DOMAIN, &claims).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "host: \"cart.shop\"",
        "k-original-host: \"shop.example.org\"",
        "x-forwarded-host: \"shop.example.org\"",
        "k-proxy-request: \"activator\"",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

/// No activator has counted it: behind the Service may be the sidecar of another revision.
#[tokio::test]
async fn mapped_core_service_gets_the_request_without_our_mark() {
    let (address, seen) = pod(NO_WORK);
    let world = to_service(address, "http");
    let claims = [("k-proxy-request", "activator")];
    let (status, _, text) = get(&client(world.addresses.external), DOMAIN, &claims).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "host: \"cart.shop.svc.cluster.local\"",
        "k-original-host: \"shop.example.org\"",
        "x-forwarded-for: \"127.0.0.1\"",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("k-proxy-request"), "{text}");
    assert_eq!(seen.by_http2.load(Ordering::Relaxed), 0);
}

/// Ready means that the next request is answered: a mapping waits for what it leads to.
#[tokio::test]
async fn mapping_is_live_once_there_is_something_behind_it() {
    let probe = [("k-network-probe", "probe"), ("k-network-hash", "override")];
    let live = async |world: &World| {
        let client = client(world.addresses.external);
        let (status, headers, _) = get(&client, DOMAIN, &probe).await;
        status == StatusCode::OK && headers["k-network-hash"] == world.ingress.hash()
    };
    assert!(live(&to_route(settings())).await);
    let (address, _) = pod(NO_WORK);
    let world = to_service(address, "http");
    assert!(live(&world).await);
    world.services.remove("shop/cart");
    assert!(!live(&world).await);
}

#[tokio::test]
async fn upgrades_pass_a_mapping() {
    for through_service in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let world = if through_service {
            to_service(address, "http")
        } else {
            to_route(settings())
        };
        world.pod_ready("pod-1", address);
        tokio::spawn(echo(listener));
        let mut client = TcpStream::connect(world.addresses.external).await.unwrap();
        let ask = format!(
            "GET / HTTP/1.1\r\nhost: {DOMAIN}\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n"
        );
        client.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1024];
        let read = client.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        client.write_all(b"hello").await.unwrap();
        let mut said = [0; 5];
        client.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hello");
    }
}

/// Upgrades one connection and says everything again.
async fn echo(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0; 1024];
    let read = stream.read(&mut head).await.unwrap();
    assert!(read > 0);
    let answer =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await.unwrap();
}

#[tokio::test]
async fn grpc_passes_a_mapping() {
    let h2c = Settings {
        protocol: AppProtocol::H2c,
        ..settings()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(grpc_server(listener));
    for world in [to_route(h2c), to_service(address, "grpc")] {
        world.pod_ready("pod-1", address);
        let request = Request::post("/ping.Ping/Ping")
            .header("host", DOMAIN)
            .header("content-type", "application/grpc+proto")
            .header("te", "trailers")
            .body(Body::from("ping"))
            .unwrap();
        let client = client(world.addresses.external);
        let response = client.send(Protocol::Http2, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let answer = response.into_body().collect().await.unwrap();
        let status = answer.trailers().unwrap().get("grpc-status").cloned();
        assert_eq!(status, Some(HeaderValue::from_static("0")));
        assert_eq!(answer.to_bytes(), "ping");
    }
}

async fn grpc_server(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service_fn(ping));
            // The client may leave as it likes.
            let _ = connection.await;
        });
    }
}

type Frames = futures::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;

/// Says the request's body again; a trailer tells whether it came as gRPC needs it.
async fn ping(request: Request<Incoming>) -> Result<Response<StreamBody<Frames>>, Infallible> {
    let mut trailers = HeaderMap::new();
    let grpc = request.version() == Version::HTTP_2 && request.headers()["te"] == "trailers";
    let status = if grpc { "0" } else { "13" };
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let frames = vec![Ok(Frame::data(body)), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures::stream::iter(frames));
    Ok(Response::new(body))
}
