//! Certificates as those who want them write them down (contract/control-plane 2.11).

use std::collections::BTreeMap;

use crds::certificate::{Certificate, CertificateSpec};
use crds::config::NetworkConfig;
use crds::domain_mapping::DomainMapping;
use crds::name::{LAST_APPLIED, child, networking, serving};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use runtime::kube::apply::APPLIED;
use runtime::kube::owner::owner_reference;

use super::class::chosen;

/// Annotations of a parent that its Certificates do not get.
const LEFT_OUT: [&str; 4] = [
    LAST_APPLIED,
    APPLIED,
    networking::CERTIFICATE_CLASS_ALT,
    networking::INGRESS_CLASS_ALT,
];
/// Longest value of a label.
const LONGEST_LABEL: usize = 63;

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A host outside of the cluster.
    ExternalDomain,
    /// Hosts inside the cluster.
    ClusterLocalDomain,
    /// The system's own connections.
    SystemInternal,
}

/// A certificate for hosts of an object.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// Name of the Certificate, and of its Secret.
    pub(crate) name: String,
    /// The hosts.
    pub(crate) hosts: Vec<String>,
    /// Domain that the hosts lie under.
    pub(crate) domain: String,
    /// From where the hosts answer.
    pub(crate) purpose: Purpose,
    /// The label that leads back to the parent.
    pub(crate) label: (&'static str, String),
}

impl Purpose {
    /// The purpose as the label [`networking::CERTIFICATE_TYPE`] has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ExternalDomain => "external-domain",
            Self::ClusterLocalDomain => "cluster-local-domain",
            Self::SystemInternal => "system-internal",
        }
    }

    /// The purpose that the label of `certificate` names, if it names one.
    pub(crate) fn of(certificate: &Certificate) -> Option<Self> {
        let label = certificate.labels().get(networking::CERTIFICATE_TYPE)?;
        let all = [
            Self::ExternalDomain,
            Self::ClusterLocalDomain,
            Self::SystemInternal,
        ];
        all.into_iter().find(|purpose| purpose.as_str() == label)
    }
}

/// The order for hosts of `parent`, which chooses the issuer and hands down its annotations.
pub(crate) fn for_hosts<P>(parent: &P, hosts: Hosts, network: &NetworkConfig) -> Certificate
where
    P: Resource<DynamicType = ()>,
{
    let mut annotations = parent.annotations().clone();
    annotations.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
    let class = chosen(parent.annotations(), network).to_owned();
    annotations.insert(networking::CERTIFICATE_CLASS.to_owned(), class);
    let (label, value) = hosts.label;
    let labels = BTreeMap::from([(label.to_owned(), value), type_label(hosts.purpose)]);
    Certificate {
        metadata: ObjectMeta {
            annotations: Some(annotations),
            labels: Some(labels),
            ..metadata(parent, parent.namespace().unwrap_or_default(), &hosts.name)
        },
        spec: CertificateSpec {
            dns_names: hosts.hosts,
            domain: Some(hosts.domain),
            secret_name: hosts.name,
        },
        status: None,
    }
}

/// The order for the host of a DomainMapping.
pub(crate) fn for_domain_mapping(mapping: &DomainMapping, network: &NetworkConfig) -> Certificate {
    let host = mapping.name_any();
    // A host may be longer than a label: then the uid tells as much.
    let value = match host.len() <= LONGEST_LABEL {
        true => host.clone(),
        false => mapping.uid().unwrap_or_default(),
    };
    let hosts = Hosts {
        name: child(&host, ""),
        hosts: vec![host.clone()],
        domain: host,
        purpose: Purpose::ExternalDomain,
        label: (serving::DOMAIN_MAPPING_UID, value),
    };
    for_hosts(mapping, hosts, network)
}

/// The order for all hosts of a namespace below `domain`: `dns_name` is `*.` and more.
pub(crate) fn for_wildcard(
    namespace: &Namespace,
    dns_name: &str,
    domain: &str,
    network: &NetworkConfig,
) -> Certificate {
    let name = dns_name.strip_prefix("*.").unwrap_or(dns_name);
    let label = (networking::WILDCARD_DOMAIN.to_owned(), domain.to_owned());
    for_namespace(namespace, name, vec![dns_name.to_owned()], label, network)
}

/// The order for the system's own connections in a namespace.
pub(crate) fn for_system(
    namespace: &Namespace,
    name: &str,
    dns_names: Vec<String>,
    network: &NetworkConfig,
) -> Certificate {
    let label = type_label(Purpose::SystemInternal);
    for_namespace(namespace, name, dns_names, label, network)
}

fn for_namespace(
    namespace: &Namespace,
    name: &str,
    dns_names: Vec<String>,
    label: (String, String),
    network: &NetworkConfig,
) -> Certificate {
    let class = chosen(namespace.annotations(), network).to_owned();
    Certificate {
        metadata: ObjectMeta {
            annotations: Some([(networking::CERTIFICATE_CLASS.to_owned(), class)].into()),
            labels: Some([label].into()),
            ..metadata(namespace, namespace.name_any(), name)
        },
        spec: CertificateSpec {
            dns_names,
            domain: None,
            secret_name: name.to_owned(),
        },
        status: None,
    }
}

fn metadata<P: Resource<DynamicType = ()>>(
    parent: &P,
    namespace: String,
    name: &str,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace),
        owner_references: Some(vec![owner_reference(parent)]),
        ..ObjectMeta::default()
    }
}

fn type_label(purpose: Purpose) -> (String, String) {
    let value = purpose.as_str().to_owned();
    (networking::CERTIFICATE_TYPE.to_owned(), value)
}

/// Adler-32: short names for tags and hosts that others compute as well.
pub(crate) fn adler32(text: &str) -> u32 {
    const MODULUS: u32 = 65_521;
    let (low, high) = text.bytes().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    (high << 16) | low
}
