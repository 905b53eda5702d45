//! What an Ingress says to its gateway, whoever it is made for (contract/control-plane 2.10, 4.6).

use std::collections::BTreeMap;

use crds::annotation::{Spellings, find};
use crds::config::{HttpProtocol, NetworkConfig};
use crds::name::{LAST_APPLIED, networking};
use crds::networking::HttpOption;
use kube::ResourceExt;

/// The other spelling of [`networking::INGRESS_CLASS`].
const INGRESS_CLASS_ALT: &str = "networking.knative.dev/ingress-class";
/// Spellings of the annotation that chooses what plain HTTP requests get.
const HTTP_PROTOCOL: Spellings = [
    "networking.knative.dev/http-protocol",
    "networking.knative.dev/httpOption",
];

/// The annotation for plain HTTP requests has no meaning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("incorrect http-protocol annotation: {0}")]
pub(crate) struct BadHttpProtocol(String);

/// Annotations of the Ingress of `parent`: its own, and the class that it or else config-network
/// chooses.
pub(crate) fn annotations(
    parent: &impl ResourceExt,
    network: &NetworkConfig,
) -> BTreeMap<String, String> {
    let mut annotations = parent.annotations().clone();
    annotations.remove(LAST_APPLIED);
    annotations.remove(networking::CERTIFICATE_CLASS_ALT);
    let alternative = annotations.remove(INGRESS_CLASS_ALT);
    annotations
        .entry(networking::INGRESS_CLASS.to_owned())
        .or_insert_with(|| alternative.unwrap_or_else(|| network.ingress_class.clone()));
    annotations
}

/// What plain HTTP requests get: the annotation of `parent` decides, else config-network.
///
/// # Errors
/// The annotation is none of its values.
pub(crate) fn http_option(
    parent: &impl ResourceExt,
    network: &NetworkConfig,
) -> Result<Option<HttpOption>, BadHttpProtocol> {
    let chosen = find(parent.annotations(), HTTP_PROTOCOL);
    let chosen = chosen.map(|(_, text)| text.to_lowercase());
    match (chosen.as_deref().unwrap_or_default(), network.http_protocol) {
        ("enabled", _) | ("", HttpProtocol::Enabled) => Ok(Some(HttpOption::Enabled)),
        ("redirected", _) | ("", HttpProtocol::Redirected) => Ok(Some(HttpOption::Redirected)),
        ("", HttpProtocol::Disabled) => Ok(None),
        (other, _) => Err(BadHttpProtocol(other.to_owned())),
    }
}

/// `k-original-host` as `K-Original-Host`: how an Ingress spells headers, so that other
/// implementations of it find what they know.
pub(crate) fn canonical(header: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_uppercase() + rest
    };
    header.split('-').map(word).collect::<Vec<_>>().join("-")
}
