//! The system's own connections over TLS.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use net::body::Body;
use net::serve::{ServeSettings, Transport, serve_after};
use net::tls::{Shown, Tls, TlsSettings};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::net::TcpListener;

use crate::tls::connect;
use crate::world::{HOST, World, client, get, id, settings};

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

/// A pod that is spoken to over TLS only.
async fn encrypted_pod(shows: &CertifiedKey<KeyPair>, says: &'static str) -> SocketAddr {
    let shown = Shown::default();
    let (chain, key) = (shows.cert.pem(), shows.signing_key.serialize_pem());
    shown.replace(chain.as_bytes(), key.as_bytes()).unwrap();
    let tls = Tls::internal(Arc::new(shown), &TlsSettings::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = move |_| {
        service_fn(move |request: Request<_>| async move {
            let probed = request.headers().contains_key("k-network-probe");
            let text = if probed { "queue" } else { says };
            Ok::<_, Infallible>(Response::new(Body::from(text)))
        })
    };
    let handshake = move |stream| tls.clone().handshake(stream);
    let (bounds, never) = (ServeSettings::default(), std::future::pending());
    tokio::spawn(serve_after(handshake, listener, bounds, service, never));
    address
}

/// A Secret as the issuer makes it for the activators.
fn secret(certified: &CertifiedKey<KeyPair>, authority: &str) -> Secret {
    let content = [
        ("tls.crt", certified.cert.pem()),
        ("tls.key", certified.signing_key.serialize_pem()),
        ("ca.crt", authority.to_owned()),
    ];
    let content = content.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())));
    Secret {
        data: Some(BTreeMap::from(content)),
        ..Secret::default()
    }
}

/// A front door with a pod that has a certificate.
async fn with_pod(shows: &CertifiedKey<KeyPair>) -> World {
    let world = World::new(settings());
    let address = encrypted_pod(shows, "inside").await;
    world.fleet.pod_speaks(&id(), "cart-1", Transport::Tls);
    world.pod_up("cart-1", address);
    world
}

#[tokio::test]
async fn pod_with_a_certificate_gets_requests_over_tls_once_its_authority_is_known() {
    let pods = certificate("kn-user-shop");
    let world = with_pod(&pods).await;
    let door = client(world.addresses.external);
    let waiting = tokio::spawn(async move { get(&door, HOST, &[]).await });
    world.wait_until_held(1).await;
    let activators = certificate("kn-routing");
    world.internal.learn(&secret(&activators, &pods.cert.pem()));
    let (status, _, text) = waiting.await.unwrap();
    assert_eq!((status, text.as_str()), (StatusCode::OK, "inside"));
}

#[tokio::test]
async fn authorities_come_from_trust_bundles_too() {
    let (pods, other) = (certificate("kn-user-shop"), certificate("other"));
    let world = with_pod(&pods).await;
    let bundle = |text: String| ConfigMap {
        data: Some(BTreeMap::from([("ca.crt".to_owned(), text)])),
        ..ConfigMap::default()
    };
    let both = other.cert.pem() + &pods.cert.pem();
    world.internal.believe_config_map("a", &bundle(both));
    // Half of an update takes nothing away.
    let broken = "-----BEGIN CERTIFICATE-----\nhalf".to_owned();
    world.internal.believe_config_map("a", &bundle(broken));
    let (status, ..) = get(&client(world.addresses.external), HOST, &[]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn pod_of_another_namespace_gets_nothing() {
    let (wrong, right) = (certificate("kn-user-other"), certificate("kn-user-shop"));
    let world = with_pod(&wrong).await;
    let both = wrong.cert.pem() + &right.cert.pem();
    let activators = certificate("kn-routing");
    world.internal.learn(&secret(&activators, &both));
    let door = client(world.addresses.external);
    let waiting = tokio::spawn(async move { get(&door, HOST, &[]).await });
    world.wait_until_held(1).await;
    world.fleet.pod_speaks(&id(), "cart-2", Transport::Tls);
    world.pod_up("cart-2", encrypted_pod(&right, "right").await);
    assert_eq!(waiting.await.unwrap().2, "right");
}

#[tokio::test]
async fn revisions_are_served_over_tls_while_there_is_a_certificate() {
    let pods = certificate("kn-user-shop");
    let world = with_pod(&pods).await;
    let activators = certificate("kn-routing");
    let trusted = activators.cert.der();
    let door = world.addresses.revision_tls;
    assert!(connect(door, trusted, "kn-routing", "h2").await.is_err());

    world.internal.learn(&secret(&activators, &pods.cert.pem()));
    let stream = connect(door, trusted, "kn-routing", "http/1.1").await;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream.unwrap()))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", "cart-00001.shop.svc.cluster.local");
    let request = request.body(Empty::<&'static [u8]>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "inside");

    world.internal.forget();
    assert!(connect(door, trusted, "kn-routing", "h2").await.is_err());
}
