//! How a domain comes to its certificate (contract/control-plane 3.8). The one place that knows:
//! the condition, the scheme of the URL and what the gateway is told follow from it.

use crds::certificate::Certificate as Order;
use crds::condition::Truth;
use crds::config::NetworkConfig;
use crds::domain_mapping::DomainMapping;
use crds::networking::IngressTls;
use kube::ResourceExt;

use crate::certificate::challenge::{self, Challenge};
use crate::certificate::class::wants_external_tls;
use crate::certificate::order::for_domain_mapping;
use crate::certificate::standing::{Meanwhile, Standing, downgraded, secret, taken};
use crate::child::Child;

/// How a domain comes to its certificate.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Certificate {
    /// The user brings it: name of the Secret.
    Brought(String),
    /// Not at all: it is served without TLS.
    NotEnabled,
    /// An issuer makes it.
    Ordered(Box<Ordered>),
}

/// A certificate that an issuer makes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ordered {
    /// To apply, unless someone else's has the name.
    pub(super) order: Order,
    standing: Standing,
    meanwhile: Meanwhile,
    challenges: Vec<Challenge>,
}

// === impl Certificate ===

impl Certificate {
    /// How the domain of `mapping` comes to its certificate; `there` has the name of its order.
    pub(super) fn of(
        mapping: &DomainMapping,
        there: &Child<Order>,
        network: &NetworkConfig,
    ) -> Self {
        if let Some(tls) = &mapping.spec.tls {
            return Self::Brought(tls.secret_name.clone());
        }
        if !wants_external_tls(mapping.annotations(), network) {
            return Self::NotEnabled;
        }
        let order = for_domain_mapping(mapping, network);
        let mut challenges = there.ours().map(challenge::open).unwrap_or_default();
        challenges.sort_by(|one, other| one.url.cmp(&other.url));
        Self::Ordered(Box::new(Ordered {
            standing: Standing::of(&order, there),
            meanwhile: Meanwhile::outside(network),
            challenges,
            order,
        }))
    }

    /// The condition.
    pub(super) fn truth(&self) -> Truth {
        let (reason, message) = match self {
            Self::Brought(_) => (
                "CertificateExternallyProvided",
                "TLS certificate was provided externally",
            ),
            Self::NotEnabled => ("TLSNotEnabled", "external-domain-tls is not enabled"),
            Self::Ordered(ordered) => return ordered.truth(),
        };
        Truth::TrueBecause(reason.to_owned(), message.to_owned())
    }

    /// Scheme of the URL; `default` is that of domains without a certificate.
    pub(super) fn scheme<'a>(&self, default: &'a str) -> &'a str {
        match self {
            Self::Brought(_) => "https",
            Self::NotEnabled => default,
            Self::Ordered(ordered) => {
                let scheme = ordered.standing.scheme(ordered.meanwhile);
                scheme.unwrap_or(default)
            }
        }
    }

    /// What the gateway is told.
    pub(super) fn tls(&self, mapping: &DomainMapping) -> Vec<IngressTls> {
        let hosts = || vec![mapping.name_any()];
        match self {
            Self::Brought(secret) => vec![IngressTls {
                hosts: hosts(),
                secret_name: secret.clone(),
                secret_namespace: mapping.namespace().unwrap_or_default(),
            }],
            Self::Ordered(ordered) if ordered.standing == Standing::Ready => {
                vec![secret(&ordered.order, hosts())]
            }
            Self::NotEnabled | Self::Ordered(_) => Vec::new(),
        }
    }

    /// Questions of the issuer, by URL, that the gateway must let through.
    pub(super) fn challenges(&self) -> &[Challenge] {
        match self {
            Self::Ordered(ordered) => &ordered.challenges,
            Self::Brought(_) | Self::NotEnabled => &[],
        }
    }

    /// The order to apply; None where there is none, or where someone else's has its name.
    pub(super) fn order(&self) -> Option<&Order> {
        match self {
            Self::Ordered(ordered) => Some(&ordered.order).filter(|_| !self.is_taken()),
            Self::Brought(_) | Self::NotEnabled => None,
        }
    }

    /// Whether someone else's Certificate has the name of the order.
    pub(super) fn is_taken(&self) -> bool {
        match self {
            Self::Ordered(ordered) => ordered.standing == Standing::Taken,
            Self::Brought(_) | Self::NotEnabled => false,
        }
    }

    /// The same, after the API server has refused the order.
    pub(super) fn refused(mut self, why: String) -> Self {
        if let Self::Ordered(ordered) = &mut self {
            ordered.standing = Standing::Failed(why);
            ordered.meanwhile = Meanwhile::Waiting;
        }
        self
    }
}

// === impl Ordered ===

impl Ordered {
    fn truth(&self) -> Truth {
        let name = self.order.name_any();
        match (&self.standing, self.meanwhile) {
            (Standing::Taken, _) => taken(&name),
            (Standing::Ready, _) => Truth::True,
            (Standing::Pending(_) | Standing::Failed(_), Meanwhile::PlainHttp) => downgraded(&name),
            (Standing::Pending(_), Meanwhile::Waiting) => Truth::unknown(
                "CertificateNotReady",
                format!("Certificate {name} is not ready."),
            ),
            (Standing::Failed(_), Meanwhile::Waiting) => Truth::no(
                "CertificateProvisionFailed",
                format!("Certificate {name} failed to be provisioned."),
            ),
        }
    }
}
