//! Connections over TLS: handshakes that end in time, certificates from PEM, and who is believed.

mod settings;
mod shown;
#[cfg(feature = "tls-client")]
mod trust;

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ResolvesServerCert, ServerSessionMemoryCache},
    sign::CertifiedKey,
};
pub use settings::{BadTlsSetting, TlsSettings, TlsVariables};
pub use shown::Shown;
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;
#[cfg(feature = "tls-client")]
pub use trust::{Peer, Trust};

/// A client that is slower holds a place that others wait for.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);
/// Sessions that clients may take up again without a full handshake.
const SESSIONS: usize = 4096;

/// What is spoken inside, the best first.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, HTTP1];
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

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

    /// A server for the system's own connections, with what `settings` allow. Nobody takes up a
    /// session again there: those who verify a certificate want to see it.
    ///
    /// # Errors
    /// When the settings can't be put together.
    pub fn internal(
        certificates: Arc<dyn ResolvesServerCert>,
        settings: &TlsSettings,
    ) -> Result<Self, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(settings.provider())
            .with_protocol_versions(settings.versions())?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.send_tls13_tickets = 0;
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
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unreadable("key", &error))?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}

/// One at least.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadCertificate> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(BadCertificate::Pem("certificate", "it is empty".to_owned()))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable("certificate", &error)),
    }
}

fn unreadable(what: &'static str, error: &rustls::pki_types::pem::Error) -> BadCertificate {
    BadCertificate::Pem(what, format!("{error}"))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
