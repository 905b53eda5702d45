//! The order as cert-manager takes it.

use std::collections::BTreeMap;

use crds::certificate::Certificate;
use crds::config::CertManagerConfig;
use crds::name::networking;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use runtime::kube::apply::APPLIED;
use runtime::kube::owner::owner_reference;

use super::kind::{CertManagerCertificate, CertificateSpec, Issuer, SecretTemplate};
use crate::certificate::order::Purpose;
use crate::certificate::report::Report;

/// Longest common name.
const LONGEST: usize = 63;
/// Before the domain, where that stands in for a host that is too long.
pub(super) const SHORT: &str = "k.";

/// Why an order can't be handed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The host of a DomainMapping can't be shortened.
    #[error("error creating cert-manager certificate: CommonName ({0}) longer than 63 characters")]
    HostTooLong(String),
    /// Nor can this domain.
    #[error(
        "error creating cert-manager certificate: CommonName ({domain})(length: {length}) too long, prepending short prefix of ({SHORT})(length: 2) will be longer than 64 bytes",
        length = domain.len()
    )]
    DomainTooLong {
        /// The domain.
        domain: String,
    },
    /// There is no domain that could stand in.
    #[error(
        "error creating cert-manager certificate: CommonName ({0}) too long and field spec.Domain on Kcert is empty, cannot attempt to shorten"
    )]
    NoDomain(String),
    /// Nobody knows who signs such certificates.
    #[error("error creating cert-manager certificate: certificate type {0} is invalid")]
    UnknownType(String),
}

impl Refusal {
    /// What the Certificate says.
    pub(super) fn report(&self) -> Report {
        let reason = match self {
            Self::HostTooLong(_) | Self::DomainTooLong { .. } | Self::NoDomain(_) => {
                "CommonName Too Long"
            }
            Self::UnknownType(_) => "certificate type invalid",
        };
        Report::failed(reason, self.to_string())
    }
}

/// The order for cert-manager.
///
/// # Errors
/// No order would be right.
pub(super) fn order(
    certificate: &Certificate,
    config: &CertManagerConfig,
) -> Result<CertManagerCertificate, Refusal> {
    let mut dns_names = certificate.spec.dns_names.clone();
    let common_name = common_name(certificate)?;
    if !dns_names.is_empty() && dns_names.first() != Some(&common_name) {
        dns_names.insert(0, common_name.clone());
    }
    let mut annotations = certificate.annotations().clone();
    annotations.remove(APPLIED);
    let uid = certificate.uid().unwrap_or_default();
    let labels = BTreeMap::from([(networking::CERTIFICATE_UID.to_owned(), uid)]);
    Ok(CertManagerCertificate {
        metadata: ObjectMeta {
            name: Some(certificate.name_any()),
            namespace: certificate.namespace(),
            annotations: Some(annotations),
            labels: Some(certificate.labels().clone()),
            owner_references: Some(vec![owner_reference(certificate)]),
            ..ObjectMeta::default()
        },
        spec: CertificateSpec {
            common_name,
            dns_names,
            secret_name: certificate.spec.secret_name.clone(),
            issuer_ref: issuer(certificate, config)?,
            secret_template: Some(SecretTemplate { labels }),
        },
        status: None,
    })
}

/// The first host; where it is too long, a host of our own below its domain.
fn common_name(certificate: &Certificate) -> Result<String, Refusal> {
    let host = certificate.spec.dns_names.first().cloned();
    let host = host.unwrap_or_default();
    if host.len() <= LONGEST {
        return Ok(host);
    }
    match certificate.spec.domain.clone().unwrap_or_default() {
        domain if domain.is_empty() => Err(Refusal::NoDomain(host)),
        domain if domain == host => Err(Refusal::HostTooLong(host)),
        domain if domain.len() > LONGEST - SHORT.len() => Err(Refusal::DomainTooLong { domain }),
        domain => Ok(format!("{SHORT}{domain}")),
    }
}

fn issuer(certificate: &Certificate, config: &CertManagerConfig) -> Result<Issuer, Refusal> {
    let reference = match Purpose::of(certificate) {
        Some(Purpose::ClusterLocalDomain) => &config.cluster_local_issuer_ref,
        Some(Purpose::SystemInternal) => &config.system_internal_issuer_ref,
        Some(Purpose::ExternalDomain) => &config.issuer_ref,
        None => match certificate.labels().get(networking::CERTIFICATE_TYPE) {
            None => &config.issuer_ref,
            Some(unknown) => return Err(Refusal::UnknownType(unknown.clone())),
        },
    };
    Ok(Issuer::from(reference))
}
