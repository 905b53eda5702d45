//! Which issuer cares for a Certificate, and whether an object wants one at all.

use std::collections::BTreeMap;

use crds::certificate::Certificate;
use crds::config::NetworkConfig;
use crds::name::networking;
use kube::ResourceExt;

/// Class of the issuer in this process.
pub(crate) const BUILT_IN: &str = "fermata.certificate.networking.knative.dev";
/// Class of cert-manager.
const CERT_MANAGER: &str = "cert-manager.certificate.networking.knative.dev";

/// Who issues a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Issuer {
    /// This process.
    BuiltIn,
    /// cert-manager, through this process.
    CertManager,
    /// Another process.
    Other,
}

impl Issuer {
    /// Who issues `certificate`.
    pub(crate) fn of(certificate: &Certificate, network: &NetworkConfig) -> Self {
        match chosen(certificate.annotations(), network) {
            BUILT_IN => Self::BuiltIn,
            CERT_MANAGER => Self::CertManager,
            _ => Self::Other,
        }
    }
}

/// The class that annotations choose, else that of config-network.
pub(crate) fn chosen<'a>(
    annotations: &'a BTreeMap<String, String>,
    network: &'a NetworkConfig,
) -> &'a str {
    let keys = [
        networking::CERTIFICATE_CLASS,
        networking::CERTIFICATE_CLASS_ALT,
    ];
    keys.iter()
        .find_map(|key| annotations.get(*key))
        .filter(|class| !class.is_empty())
        .unwrap_or(&network.certificate_class)
}

/// Whether public hosts of the object with these annotations get certificates. What admission
/// would have refused as a value does not count.
pub(crate) fn wants_external_tls(
    annotations: &BTreeMap<String, String>,
    network: &NetworkConfig,
) -> bool {
    let disabled = networking::DISABLE_EXTERNAL_DOMAIN_TLS
        .iter()
        .find_map(|key| annotations.get(*key));
    let is_disabled = disabled
        .is_some_and(|value| ["1", "t", "T", "true", "TRUE", "True"].contains(&value.as_str()));
    network.external_domain_tls && !is_disabled
}
