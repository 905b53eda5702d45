//! Requests over TLS through the gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Answer, Connection, Gateway};

const HTTPS: u16 = 443;

impl Gateway {
    /// `GET path` of `host` over TLS, believing the authorities of a PEM bundle and nobody else.
    pub async fn get_over_tls(&self, host: &str, path: &str, authorities: &[u8]) -> Result<Answer> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authorities) {
            roots.add(root?)?;
        }
        let provider = rustls::crypto::ring::default_provider();
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = SocketAddr::new(self.address().ip(), HTTPS);
        let stream = TcpStream::connect(address).await.context("can't connect")?;
        let name = ServerName::try_from(host.to_owned())?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await?;
        let mut connection = Connection::over(TokioIo::new(stream)).await?;
        connection.get(host, path).await
    }
}
