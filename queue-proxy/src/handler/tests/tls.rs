//! Requests over TLS, with the certificate that is on disk.

use std::{fs, path::PathBuf};

use net::tls::{Peer, Tls, TlsSettings, Trust};

use super::*;
use crate::certificate::OnDisk;

/// A folder as kubelet makes it; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Puts a new certificate there; returns what its clients must believe.
    fn renew(&self) -> String {
        let made = rcgen::generate_simple_self_signed(["kn-user-ns".to_owned()]).unwrap();
        fs::write(self.0.join("tls.crt"), made.cert.pem()).unwrap();
        fs::write(self.0.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
        made.cert.pem()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn believing(address: SocketAddr, authority: &str, namespace: &str) -> Arc<Upstream> {
    let trust = Trust::new(TlsSettings::default());
    trust.learn("test", authority.as_bytes()).unwrap();
    let peer = Peer::pod_of(trust, namespace);
    Upstream::over_tls(address, UpstreamSettings::default(), peer)
}

/// Opens a port over TLS of the pod.
async fn port(pod: &Pod, certificate: &OnDisk) -> SocketAddr {
    let tls = Tls::internal(Arc::new(certificate.shown()), &TlsSettings::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let port = process::Port::encrypted(listener, tls);
    let (bounds, never) = (ServeSettings::default(), std::future::pending());
    tokio::spawn(port.requests(Arc::clone(&pod.sidecar), bounds, never));
    address
}

fn asked() -> Request<Body> {
    let request = Request::get("/headers").header("host", "private.ns");
    request.body(Body::Empty).unwrap()
}

#[tokio::test]
async fn requests_over_tls_reach_the_app_by_both_protocols() {
    let folder = Folder::new("both-protocols");
    assert!(OnDisk::open(&folder.0).unwrap().is_none());
    let authority = folder.renew();
    let certificate = OnDisk::open(&folder.0).unwrap().unwrap();
    let pod = Pod::unlimited().await;
    let client = believing(port(&pod, &certificate).await, &authority, "ns");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = client.send(protocol, asked()).await.unwrap();
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.text.contains("x-forwarded-proto: https"),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn pod_of_another_namespace_or_authority_is_not_believed() {
    let folder = Folder::new("not-believed");
    let authority = folder.renew();
    let certificate = OnDisk::open(&folder.0).unwrap().unwrap();
    let pod = Pod::unlimited().await;
    let address = port(&pod, &certificate).await;
    let other = Folder::new("other-authority").renew();
    let strangers = [
        believing(address, &authority, "other"),
        believing(address, &other, "ns"),
        client(address),
    ];
    for stranger in strangers {
        assert!(stranger.send(Protocol::Http1, asked()).await.is_err());
    }
    let in_the_open = believing(pod.client.addr(), &authority, "ns");
    assert!(in_the_open.send(Protocol::Http1, asked()).await.is_err());
}

#[tokio::test]
async fn renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let folder = Folder::new("renewed");
    let before = folder.renew();
    let mut certificate = OnDisk::open(&folder.0).unwrap().unwrap();
    let pod = Pod::unlimited().await;
    let address = port(&pod, &certificate).await;
    assert!(!certificate.look(), "nothing is new");

    fs::write(folder.0.join("tls.crt"), "half of").unwrap();
    assert!(!certificate.look());
    let client = believing(address, &before, "ns");
    assert!(client.send(Protocol::Http1, asked()).await.is_ok());

    let after = folder.renew();
    assert!(certificate.look());
    let client = believing(address, &after, "ns");
    assert!(client.send(Protocol::Http1, asked()).await.is_ok());
    let client = believing(address, &before, "ns");
    assert!(client.send(Protocol::Http1, asked()).await.is_err());
}
