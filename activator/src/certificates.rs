//! The certificates of hosts that are served over TLS: Secrets of type `kubernetes.io/tls`, chosen
//! by the name that a client asks for (SNI).

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use net::tls::{self, BadCertificate};
use parking_lot::RwLock;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::route::{TableReader, host_of};

/// Only Secrets of this type are looked at.
pub const SECRET_TYPE: &str = "kubernetes.io/tls";

/// Certificates by Secret, `namespace/name`. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    by_secret: Arc<RwLock<HashMap<String, Arc<CertifiedKey>>>>,
}

/// Shows the certificate that the route table names for a host.
#[derive(Debug)]
pub struct ByHost {
    table: TableReader,
    certificates: Certificates,
}

// === impl Certificates ===

impl Certificates {
    /// Takes in a Secret, new or renewed. One that can't be used leaves what was there: it may be
    /// half of an update, and the certificate before it is still good.
    ///
    /// # Errors
    /// When there is no certificate in it that can be used; the text says why.
    pub fn insert(&self, name: String, secret: &Secret) -> Result<(), BadCertificate> {
        let data = |key| {
            let data = secret.data.as_ref().and_then(|data| data.get(key));
            data.map_or(&[][..], |bytes| bytes.0.as_slice())
        };
        let certified = tls::certified(data("tls.crt"), data("tls.key"))?;
        self.by_secret.write().insert(name, Arc::new(certified));
        Ok(())
    }

    /// The Secret is gone.
    pub fn remove(&self, name: &str) {
        self.by_secret.write().remove(name);
    }

    /// The first of `secrets` that is not there, or can't be used.
    pub fn missing<'a>(&self, secrets: &'a [Arc<str>]) -> Option<&'a str> {
        let there = self.by_secret.read();
        let missing = secrets
            .iter()
            .find(|secret| !there.contains_key(&***secret));
        missing.map(|secret| &**secret)
    }

    fn get(&self, secret: &str) -> Option<Arc<CertifiedKey>> {
        self.by_secret.read().get(secret).cloned()
    }

    /// What a TLS listener asks.
    pub fn by_host(&self, table: TableReader) -> ByHost {
        ByHost {
            table,
            certificates: self.clone(),
        }
    }
}

// === impl ByHost ===

impl ResolvesServerCert for ByHost {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = host_of(hello.server_name()?);
        let table = self.table.load();
        self.certificates.get(table.secret(&host)?)
    }
}
