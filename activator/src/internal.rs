//! The system's own connections over TLS (`system-internal-tls`; contract/data-plane 2.8): what is shown
//! to those who name a revision, and who is believed where the pods are. Nothing here asks for the
//! setting: a pod that has a certificate is spoken to over TLS and in no other way.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use net::contract::certificate::{AUTHORITIES, CHAIN, KEY, ROUTING};
use net::tls::{Shown, TlsSettings, Trust};
use tracing::{info, warn};

/// Certificate and authorities. Clones share them.
#[derive(Clone, Debug)]
pub struct Internal {
    /// What the port shows.
    pub shown: Shown,
    /// Who is believed.
    pub trust: Trust,
}

// === impl Internal ===

impl Internal {
    /// Shows nothing, and believes nobody.
    pub fn new(settings: TlsSettings) -> Self {
        let (shown, trust) = (Shown::default(), Trust::new(settings));
        Self { shown, trust }
    }

    /// Takes in the Secret of the activators: their certificate, and the authority that made those of
    /// the pods, too.
    pub fn learn(&self, secret: &Secret) {
        match self.shown.replace(data(secret, CHAIN), data(secret, KEY)) {
            Ok(()) => info!(secret = ROUTING, "certificate of our own is there"),
            Err(error) => warn!(secret = ROUTING, %error, "certificate can't be used"),
        }
        self.believe(ROUTING, data(secret, AUTHORITIES));
    }

    /// It is gone.
    pub fn forget(&self) {
        self.shown.clear();
        self.trust.forget(ROUTING);
    }

    /// Believes the authorities in all keys of a Secret; `name` tells it from a ConfigMap.
    pub fn believe_secret(&self, name: &str, secret: &Secret) {
        let values = secret.data.iter().flatten();
        let bundles: Vec<_> = values.map(|(_, value)| value.0.as_slice()).collect();
        self.believe(name, &bundles.join(&b'\n'));
    }

    /// Believes the authorities in all keys of a ConfigMap.
    pub fn believe_config_map(&self, name: &str, map: &ConfigMap) {
        let values = map.data.iter().flatten();
        let bundles: Vec<_> = values.map(|(_, value)| value.as_bytes()).collect();
        self.believe(name, &bundles.join(&b'\n'));
    }

    fn believe(&self, source: &str, bundle: &[u8]) {
        match self.trust.learn(source, bundle) {
            Ok(()) => info!(source, "authorities have changed"),
            Err(error) => warn!(source, %error, "authorities can't be read"),
        }
    }
}

fn data<'a>(secret: &'a Secret, key: &str) -> &'a [u8] {
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    value.map_or(&[], |value| value.0.as_slice())
}
