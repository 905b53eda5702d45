//! How a certificate stands, as the object sees it that wants it.

use crds::certificate::Certificate;
use crds::condition::{Condition, READY, Truth, find, is_failed, is_ready};
use crds::config::{HttpProtocol, NetworkConfig};
use crds::name::networking;
use crds::networking::IngressTls;
use kube::{Resource, ResourceExt};

use crate::child::Child;

/// How a certificate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Someone else's Certificate has the name.
    Taken,
    /// The Secret holds it.
    Ready,
    /// The issuer works on it: its reason, empty while it has said nothing.
    Pending(String),
    /// The issuer can't make it: its reason.
    Failed(String),
}

/// What happens to hosts while their certificate is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    /// They answer plain HTTP, and that is good enough.
    PlainHttp,
    /// They are not ready either.
    Waiting,
}

impl Meanwhile {
    /// What happens to hosts outside. The setting decides, not an annotation: that one chooses what
    /// a host with a certificate does.
    pub(crate) fn outside(network: &NetworkConfig) -> Self {
        match network.http_protocol {
            HttpProtocol::Enabled => Self::PlainHttp,
            HttpProtocol::Redirected | HttpProtocol::Disabled => Self::Waiting,
        }
    }
}

impl Standing {
    /// The scheme of the hosts; None leaves it at what config-network says.
    pub(crate) fn scheme(&self, meanwhile: Meanwhile) -> Option<&'static str> {
        match (self, meanwhile) {
            (Self::Taken, _) => None,
            (Self::Ready, _) => Some("https"),
            (Self::Pending(_) | Self::Failed(_), Meanwhile::PlainHttp) => Some("http"),
            (Self::Pending(_) | Self::Failed(_), Meanwhile::Waiting) => Some("https"),
        }
    }

    /// How the order `wanted` stands, when `there` has its name. What was said of another order
    /// does not count.
    pub(crate) fn of(wanted: &Certificate, there: &Child<Certificate>) -> Self {
        match there {
            Child::Foreign => Self::Taken,
            Child::Ours(there) if is_same_order(wanted, there) => Self::of_any(there),
            Child::Ours(_) | Child::Missing => Self::Pending(String::new()),
        }
    }

    /// How a Certificate stands, whatever it orders. Never taken.
    pub(crate) fn of_any(certificate: &Certificate) -> Self {
        let generation = certificate.meta().generation;
        let Some(status) = &certificate.status else {
            return Self::Pending(String::new());
        };
        let (conditions, observed) = (&status.conditions, status.observed_generation);
        if is_ready(conditions, observed, generation) {
            return Self::Ready;
        }
        let reason = match Truth::of(find(conditions, READY)) {
            Truth::True => String::new(),
            Truth::TrueBecause(reason, _) | Truth::False(reason, _) | Truth::Unknown(reason, _) => {
                reason
            }
        };
        match is_failed(conditions, observed, generation) {
            true => Self::Failed(reason),
            false => Self::Pending(reason),
        }
    }
}

/// What is said of a name that someone else's Certificate has.
pub(crate) fn taken(name: &str) -> Truth {
    let message = format!("There is an existing certificate {name} that we don't own.");
    Truth::no("CertificateNotOwned", message)
}

/// What is said while plain HTTP has to do.
pub(crate) fn downgraded(name: &str) -> Truth {
    let message = format!("Certificate {name} is not ready downgrade HTTP.");
    Truth::TrueBecause("HTTPDowngrade".to_owned(), message)
}

/// What the gateway gets of a certificate that is ready.
pub(crate) fn secret(certificate: &Certificate, hosts: Vec<String>) -> IngressTls {
    IngressTls {
        hosts,
        secret_name: certificate.spec.secret_name.clone(),
        secret_namespace: certificate.namespace().unwrap_or_default(),
    }
}

/// Whether `there` was made for `wanted`: names, Secret and issuer.
fn is_same_order(wanted: &Certificate, there: &Certificate) -> bool {
    let class = |it: &Certificate| it.annotations().get(networking::CERTIFICATE_CLASS).cloned();
    wanted.spec == there.spec && class(wanted) == class(there)
}

/// Whether the issuer is replacing a certificate that still holds.
pub(crate) fn is_renewing(certificate: &Certificate) -> bool {
    let conditions: &[Condition] = certificate
        .status
        .as_ref()
        .map_or(&[], |status| &status.conditions);
    Truth::of(find(conditions, super::report::RENEWING)).is_true()
}
