//! The real listener, asked over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{Request, Response, StatusCode};
use axum::middleware;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use runtime::shutdown::Shutdown;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::router::router;
use crate::webhook::authority::{self, Certified};
use crate::webhook::drain::{self, Drain};
use crate::webhook::listener::{self, Tls};

const NAME: &str = "webhook.system.svc";

struct Listening {
    address: SocketAddr,
    tls: watch::Sender<Option<Tls>>,
    shutdown: Shutdown,
    end: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

fn made() -> Certified {
    let hour = std::time::Duration::from_secs(3600);
    authority::make(vec![NAME.to_owned()], Timestamp::now(), hour).unwrap()
}

async fn listen(certified: &Certified) -> Listening {
    let sockets = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = sockets.local_addr().unwrap();
    let (tls, receiver) = watch::channel(Some(authority::server(certified).unwrap()));
    let shutdown = Shutdown::default();
    let drain = Drain::new(shutdown.clone());
    let router = router().layer(middleware::from_fn_with_state(drain, drain::watch));
    let (end, ended) = oneshot::channel();
    let done = tokio::spawn(listener::serve(sockets, receiver, router, async move {
        let _ = ended.await;
    }));
    Listening {
        address,
        tls,
        shutdown,
        end,
        done,
    }
}

type Connection = SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr, authority: &str) -> std::io::Result<Connection> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(connection: &mut Connection) -> hyper::Result<Response<Incoming>> {
    connection.ready().await?;
    let body = r#"{"request":{"uid":"u","operation":"DELETE"}}"#;
    let request = Request::post("/defaulting")
        .header("host", NAME)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap();
    connection.send_request(request).await
}

#[tokio::test]
async fn a_replica_that_ends_goes_on_answering_and_sends_its_clients_away() {
    let certified = made();
    let listening = listen(&certified).await;
    let mut old = connect(listening.address, &certified.authority)
        .await
        .unwrap();
    let answer = ask(&mut old).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().get("connection").is_none());

    listening.shutdown.request();
    let answer = ask(&mut old).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["connection"], "close");
    let mut late = connect(listening.address, &certified.authority)
        .await
        .unwrap();
    assert_eq!(ask(&mut late).await.unwrap().status(), StatusCode::OK);

    let mut idle = connect(listening.address, &certified.authority)
        .await
        .unwrap();
    listening.end.send(()).unwrap();
    listening.done.await.unwrap();
    assert!(ask(&mut idle).await.is_err());
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_served_to_new_connections_and_old_ones_stay() {
    let (first, second) = (made(), made());
    let listening = listen(&first).await;
    let mut old = connect(listening.address, &first.authority).await.unwrap();
    ask(&mut old).await.unwrap();
    let both = format!("{}{}", first.authority, second.authority);
    connect(listening.address, &both).await.unwrap();
    let server = authority::server(&second).unwrap();
    listening.tls.send_replace(Some(server));
    connect(listening.address, &both).await.unwrap();
    connect(listening.address, &second.authority).await.unwrap();
    assert!(connect(listening.address, &first.authority).await.is_err());
    assert_eq!(ask(&mut old).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_handshake_stops_nobody() {
    let certified = made();
    let listening = listen(&certified).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(TcpStream::connect(listening.address).await.unwrap());
    }
    let mut quick = connect(listening.address, &certified.authority)
        .await
        .unwrap();
    assert_eq!(ask(&mut quick).await.unwrap().status(), StatusCode::OK);
}
