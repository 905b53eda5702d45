//! Whose domain is it? A ClusterDomainClaim of the domain's name says which namespace has it; the
//! first one that asks gets it (contract/control-plane 3.8).

use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::condition::Truth;
use crds::config::NetworkConfig;
use crds::domain_mapping::DomainMapping;
use kube::ResourceExt;

/// How the domain of a mapping stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is our namespace's.
    Held,
    /// It is nobody's, and we may claim it.
    Free,
    /// It isn't ours.
    Denied(Denial),
}

/// Why a domain isn't ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// Another namespace has it.
    Taken,
    /// It is nobody's, and only an administrator may claim it.
    NotGiven,
    /// The API server refuses our claim, in its words.
    Refused(String),
}

// === impl Claim ===

impl Claim {
    /// What `found`, the claim of the domain if there is one, means for `mapping`.
    pub(super) fn of(
        mapping: &DomainMapping,
        found: Option<&ClusterDomainClaim>,
        network: &NetworkConfig,
    ) -> Self {
        match found {
            Some(claim) => Self::by(mapping, claim),
            None if network.autocreate_cluster_domain_claims => Self::Free,
            None => Self::Denied(Denial::NotGiven),
        }
    }

    /// What `claim` of the domain means for `mapping`.
    pub(super) fn by(mapping: &DomainMapping, claim: &ClusterDomainClaim) -> Self {
        if is_of(mapping, claim) {
            Self::Held
        } else {
            Self::Denied(Denial::Taken)
        }
    }

    /// The condition.
    pub(super) fn truth(&self) -> Truth {
        match self {
            Self::Held => Truth::True,
            Self::Free => Truth::unknown("", ""),
            Self::Denied(Denial::Taken | Denial::NotGiven) => Truth::no(
                "DomainAlreadyClaimed",
                "The domain name is already in use by another DomainMapping",
            ),
            Self::Denied(Denial::Refused(why)) => Truth::no("DomainClaimFailed", why),
        }
    }
}

/// Whether `claim` gives its domain to the namespace of `mapping`.
pub(super) fn is_of(mapping: &DomainMapping, claim: &ClusterDomainClaim) -> bool {
    mapping.metadata.namespace.as_ref() == Some(&claim.spec.namespace)
}

// === impl Denial ===

impl Denial {
    /// What upstream's event says, which tells more than the condition.
    pub(super) fn trouble(&self, mapping: &DomainMapping) -> String {
        let (name, namespace) = (mapping.name_any(), mapping.namespace().unwrap_or_default());
        match self {
            Self::Taken => {
                format!("namespace {namespace:?} does not own ClusterDomainClaim for {name:?}")
            }
            Self::NotGiven => format!(
                "no ClusterDomainClaim found for domain {name:?} \
                 (and autocreate-cluster-domain-claims property is not true)"
            ),
            Self::Refused(why) => format!("failed to create ClusterDomainClaim: {why}"),
        }
    }
}
