//! The plan of a pass: everything that follows from what is there, without io.

use crds::config::NetworkConfig;
use crds::domain_mapping::DomainMapping;
use crds::networking::Ingress;

use super::certificate::Certificate;
use super::claim::Claim;
use super::desired;
use super::gather::Seen;
use super::reference::{Target, Unresolved, resolve};
use super::status::{Blocker, Url};
use crate::gateway::http_option;

/// What is known, and what to apply. Each part is found out on its own, so that a user who made two
/// mistakes is told of both.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) url: Url,
    pub(super) claim: Claim,
    pub(super) target: Result<Target, Unresolved>,
    pub(super) certificate: Certificate,
    /// For when the domain is ours.
    pub(super) ingress: Result<Box<Ingress>, Blocker>,
}

/// Plans a pass.
pub(super) fn plan(
    mapping: &DomainMapping,
    seen: &Seen,
    network: &NetworkConfig,
    cluster_domain: &str,
) -> Plan {
    let target = resolve(mapping, &seen.referent, cluster_domain);
    let certificate = Certificate::of(mapping, &seen.certificate, network);
    Plan {
        url: Url::new(
            mapping,
            certificate.scheme(&network.default_external_scheme),
        ),
        claim: Claim::of(mapping, seen.claim.as_deref(), network),
        ingress: ingress(mapping, seen, &target, &certificate, network),
        target,
        certificate,
    }
}

fn ingress(
    mapping: &DomainMapping,
    seen: &Seen,
    target: &Result<Target, Unresolved>,
    certificate: &Certificate,
    network: &NetworkConfig,
) -> Result<Box<Ingress>, Blocker> {
    let target = target.as_ref().map_err(|_| Blocker::Unresolved)?;
    if certificate.is_taken() {
        return Err(Blocker::Uncertified);
    }
    if seen.ingress.is_foreign() {
        return Err(Blocker::IngressTaken(desired::ingress_name(mapping)));
    }
    let http_option = http_option(mapping, network).map_err(Blocker::BadHttpProtocol)?;
    let ingress = desired::ingress(mapping, target, certificate, http_option, network);
    Ok(Box::new(ingress))
}
