//! Who is believed at the other end of a connection that we make.

use std::{collections::BTreeMap, fmt, io, sync::Arc};

use parking_lot::RwLock;
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracing::warn;

use super::{BadCertificate, HTTP1, HTTP2, TlsSettings, certificates};
use crate::{contract::certificate, upstream::Protocol};

/// The authorities that are believed. They come from several places, and change while we run. Clones
/// share them.
#[derive(Clone)]
pub struct Trust {
    shared: Arc<Shared>,
}

struct Shared {
    settings: TlsSettings,
    believed: RwLock<Believed>,
}

#[derive(Default)]
struct Believed {
    by_source: BTreeMap<String, Vec<CertificateDer<'static>>>,
    /// None: nobody is believed.
    connectors: Option<Connectors>,
}

#[derive(Clone)]
struct Connectors {
    http1: TlsConnector,
    http2: TlsConnector,
}

/// Who must be at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    trust: Trust,
    name: Option<ServerName<'static>>,
}

// === impl Trust ===

impl Trust {
    /// Believes nobody yet.
    pub fn new(settings: TlsSettings) -> Self {
        let believed = RwLock::default();
        Self {
            shared: Arc::new(Shared { settings, believed }),
        }
    }

    /// Believes the authorities of a PEM bundle, in place of those that `source` had before. A bundle
    /// that can't be read leaves what was there.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn learn(&self, source: &str, bundle: &[u8]) -> Result<(), BadCertificate> {
        let found = certificates(bundle)?;
        self.change(|by_source| by_source.insert(source.to_owned(), found));
        Ok(())
    }

    /// What `source` had is not believed any more.
    pub fn forget(&self, source: &str) {
        self.change(|by_source| by_source.remove(source));
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Vec<CertificateDer<'static>>>) -> T,
    ) {
        let mut believed = self.shared.believed.write();
        change(&mut believed.by_source);
        let all = believed.by_source.values().flatten().cloned();
        believed.connectors = connectors(&self.shared.settings, all)
            .inspect_err(|error| warn!(%error, "Can't connect over TLS"))
            .unwrap_or_default();
    }

    fn connector(&self, protocol: Protocol) -> Option<TlsConnector> {
        let believed = self.shared.believed.read();
        let connectors = believed.connectors.as_ref()?;
        Some(match protocol {
            Protocol::Http1 => connectors.http1.clone(),
            Protocol::Http2 => connectors.http2.clone(),
        })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.shared.believed.read().by_source.len();
        f.debug_struct("Trust").field("sources", &sources).finish()
    }
}

/// None without a single authority that can be understood.
fn connectors(
    settings: &TlsSettings,
    authorities: impl Iterator<Item = CertificateDer<'static>>,
) -> Result<Option<Connectors>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    if roots.is_empty() {
        return Ok(None);
    }
    let mut config = ClientConfig::builder_with_provider(settings.provider())
        .with_protocol_versions(settings.versions())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Who takes up a session again shows no certificate.
    config.resumption = Resumption::disabled();
    let speaking = |protocol: &[u8]| {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsConnector::from(Arc::new(config))
    };
    Ok(Some(Connectors {
        http1: speaking(HTTP1),
        http2: speaking(HTTP2),
    }))
}

// === impl Peer ===

impl Peer {
    /// A pod of `namespace`. One whose name would be too long for a label of DNS has only the name that
    /// all pods have.
    pub fn pod_of(trust: Trust, namespace: &str) -> Self {
        let own = format!("{}{namespace}", certificate::USER_PREFIX);
        let all = certificate::DATA_PLANE_NAME.to_owned();
        let mut names = [own, all].into_iter();
        let name = names.find_map(|name| ServerName::try_from(name).ok());
        Self { trust, name }
    }

    /// Encrypts a connection, and finds out whether it leads to the peer.
    pub(crate) async fn handshake(
        &self,
        protocol: Protocol,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let (Some(connector), Some(name)) = (self.trust.connector(protocol), &self.name) else {
            return Err(io::Error::other("no authority is known that we believe"));
        };
        connector.connect(name.clone(), stream).await
    }
}
