//! The certificate that a port shows to whoever comes.

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{BadCertificate, certified};

/// One certificate, whatever name a client asks for; until there is one, nobody gets in. Clones share
/// it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    current: Arc<RwLock<Option<Arc<CertifiedKey>>>>,
}

// === impl Shown ===

impl Shown {
    /// Shows another one, PEM, from the next connection on. One that can't be used leaves what was
    /// there.
    ///
    /// # Errors
    /// When it can't be used; the text says why.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), BadCertificate> {
        let certified = certified(chain, key)?;
        *self.current.write() = Some(Arc::new(certified));
        Ok(())
    }

    /// Nobody gets in any more.
    pub fn clear(&self) {
        *self.current.write() = None;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.read().clone()
    }
}
