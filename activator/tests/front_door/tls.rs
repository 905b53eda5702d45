//! Hosts over TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use activator::certificates::Certificates;
use crds::networking::{HttpOption, Ingress, IngressTls};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

use crate::world::{HOST, World, client, get, pod, settings};

const SECRET: &str = "shop/cart-tls";

/// A Secret with a certificate of its own making, and what a client needs to trust it.
fn certificate() -> (Secret, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let data = BTreeMap::from([
        (
            "tls.crt".to_owned(),
            ByteString(made.cert.pem().into_bytes()),
        ),
        (
            "tls.key".to_owned(),
            ByteString(made.signing_key.serialize_pem().into_bytes()),
        ),
    ]);
    let secret = Secret {
        data: Some(data),
        ..Secret::default()
    };
    (secret, made.cert.der().clone())
}

fn insert(certificates: &Certificates, secret: &Secret) {
    certificates.insert(SECRET.to_owned(), secret).unwrap();
}

fn encrypted(ingress: &mut Ingress) {
    ingress.spec.http_option = Some(HttpOption::Redirected);
    ingress.spec.tls = vec![IngressTls {
        hosts: vec![HOST.to_owned()],
        secret_name: "cart-tls".to_owned(),
        secret_namespace: "shop".to_owned(),
    }];
}

pub(crate) async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    host: &'static str,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let stream = TcpStream::connect(address).await?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(host.try_into().unwrap(), stream).await
}

fn asked() -> Request<Empty<&'static [u8]>> {
    let uri = format!("https://{HOST}/a");
    let request = Request::builder().uri(uri).header("host", HOST);
    request.body(Empty::new()).unwrap()
}

#[tokio::test]
async fn encrypted_requests_reach_the_app_by_both_protocols() {
    let world = World::with(settings(), encrypted);
    let (secret, trusted) = certificate();
    insert(&world.certificates, &secret);
    let (address, _) = pod(Duration::ZERO);
    world.pod_ready("cart-1", address);
    let door = world.addresses.external_tls;

    let stream = connect(door, &trusted, HOST, "http/1.1").await.unwrap();
    let (mut http1, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let first = http1.send_request(asked()).await.unwrap();

    let stream = connect(door, &trusted, HOST, "h2").await.unwrap();
    let (mut http2, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let second = http2.send_request(asked()).await.unwrap();

    for response in [first, second] {
        assert_eq!(response.status(), StatusCode::OK);
        let seen = response.into_body().collect().await.unwrap().to_bytes();
        let seen = String::from_utf8(seen.to_vec()).unwrap();
        assert!(seen.contains("x-forwarded-proto: \"https\""), "{seen}");
    }
}

#[tokio::test]
async fn plain_requests_are_sent_to_tls_and_unknown_names_get_no_certificate() {
    let world = World::with(settings(), encrypted);
    let (secret, trusted) = certificate();
    insert(&world.certificates, &secret);
    let plain = client(world.addresses.external);
    let (status, headers, _) = get(&plain, HOST, &[]).await;
    assert_eq!(status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(headers["location"], format!("https://{HOST}/a"));
    let door = world.addresses.external_tls;
    let stranger = connect(door, &trusted, "other.example.com", "h2").await;
    assert!(stranger.is_err());
}

#[tokio::test]
async fn probes_fail_until_the_certificate_is_there() {
    let world = World::with(settings(), encrypted);
    let plain = client(world.addresses.external);
    let probe = [("k-network-probe", "probe"), ("k-network-hash", "override")];
    let (status, _, text) = get(&plain, HOST, &probe).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains(SECRET), "{text}");

    assert!(
        world
            .certificates
            .insert(SECRET.to_owned(), &Secret::default())
            .is_err()
    );
    insert(&world.certificates, &certificate().0);
    let (status, headers, _) = get(&plain, HOST, &probe).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["k-network-hash"], world.ingress.hash());
}

#[tokio::test]
async fn renewed_certificate_is_shown_to_the_next_connection() {
    let world = World::with(settings(), encrypted);
    let ((old, trusted_before), (new, trusted_after)) = (certificate(), certificate());
    let door = world.addresses.external_tls;
    insert(&world.certificates, &old);
    assert!(connect(door, &trusted_before, HOST, "h2").await.is_ok());
    insert(&world.certificates, &new);
    assert!(connect(door, &trusted_after, HOST, "h2").await.is_ok());
    assert!(connect(door, &trusted_before, HOST, "h2").await.is_err());
}
