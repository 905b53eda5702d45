//! Connections over TLS: handshakes that end in time, and certificates from PEM.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ResolvesServerCert, ServerSessionMemoryCache},
    sign::CertifiedKey,
};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;

/// A client that is slower holds a place that others wait for.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);
/// Sessions that clients may take up again without a full handshake.
const SESSIONS: usize = 4096;

/// What is spoken inside, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Makes plain connections into encrypted ones. Clones share it.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

/// Why a certificate can't be used.
#[derive(Debug, Error)]
pub enum BadCertificate {
    /// The certificate, or the key, is not PEM, or has nothing in it.
    #[error("{0} is no PEM: {1}")]
    Pem(&'static str, String),
    /// They don't belong together, or the kind of key is unknown.
    #[error(transparent)]
    Key(#[from] rustls::Error),
}

// === impl Tls ===

impl Tls {
    /// A server that asks `certificates` which one to show for a name. TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// When the cryptography can't be set up, which is a defect.
    pub fn new(certificates: Arc<dyn ResolvesServerCert>) -> Result<Self, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        config.ticketer = ring::Ticketer::new()?;
        Ok(Self {
            acceptor: Arc::new(config).into(),
        })
    }

    /// The encrypted connection; None when the client gives up, is too slow, or asks for a name
    /// that we have no certificate for.
    pub async fn handshake(self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let slow = |_| Err(io::Error::from(io::ErrorKind::TimedOut));
        timeout(LONGEST_HANDSHAKE, self.acceptor.accept(stream))
            .await
            .unwrap_or_else(slow)
            .inspect_err(|error| debug!(%error, "TLS handshake failed"))
            .ok()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A certificate chain and its key, ready for use.
///
/// # Errors
/// When one of them can't be read, or they don't belong together.
pub fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, BadCertificate> {
    let unreadable = |what| move |error| BadCertificate::Pem(what, format!("{error}"));
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable("certificate"))?;
    if chain.is_empty() {
        return Err(BadCertificate::Pem("certificate", "it is empty".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(unreadable("key"))?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
