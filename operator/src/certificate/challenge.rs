//! HTTP-01: the issuer asks a host over plain HTTP, and somebody else than the app answers
//! (contract/control-plane 4.6).

use crds::certificate::{Certificate, Http01Challenge};
use crds::networking::{IngressPath, IngressSplit};
use hyper::Uri;

use super::standing::{Standing, is_renewing};

/// A question of an issuer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Challenge {
    /// Where the issuer asks.
    pub(crate) url: String,
    /// The host in it.
    pub(crate) host: String,
    /// Who answers; comes before all other paths of the host.
    pub(crate) path: IngressPath,
}

/// The questions that must be answered for `certificate` now.
pub(crate) fn open(certificate: &Certificate) -> Vec<Challenge> {
    let is_ready = Standing::of_any(certificate) == Standing::Ready;
    if is_ready && !is_renewing(certificate) {
        return Vec::new();
    }
    let status = certificate.status.iter();
    let asked = status.flat_map(|it| &it.http01_challenges);
    asked.filter_map(challenge).collect()
}

/// None for a question that names no host, or nobody who answers.
fn challenge(asked: &Http01Challenge) -> Option<Challenge> {
    let url = asked.url.clone()?;
    let parsed: Uri = url.parse().ok()?;
    let split = IngressSplit {
        service_name: asked.service_name.clone()?,
        service_namespace: asked.service_namespace.clone()?,
        service_port: asked.service_port.clone()?,
        percent: 100,
        ..IngressSplit::default()
    };
    Some(Challenge {
        url,
        host: parsed.host()?.to_owned(),
        path: IngressPath {
            path: Some(parsed.path().to_owned()),
            splits: vec![split],
            ..IngressPath::default()
        },
    })
}
