//! What a DomainMapping makes: a claim and an Ingress (contract/control-plane 2.12, 4.10).

use std::collections::BTreeMap;

use crds::cluster_domain_claim::{ClusterDomainClaim, ClusterDomainClaimSpec};
use crds::config::NetworkConfig;
use crds::domain_mapping::DomainMapping;
use crds::name::{child, serving};
use crds::networking::{
    HttpOption, HttpRule, Ingress, IngressPath, IngressRule, IngressSpec, IngressSplit, Visibility,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use net::contract::header;
use runtime::kube::owner::owner_reference;

use super::certificate::Certificate;
use super::reference::Target;
use crate::gateway;

/// Port of the core Service that requests go to.
const PORT: i32 = 80;

/// Name of the Ingress of `mapping`.
pub(super) fn ingress_name(mapping: &DomainMapping) -> String {
    child(&mapping.name_any(), "")
}

/// The claim of the domain for the namespace of `mapping`.
pub(super) fn claim(mapping: &DomainMapping) -> ClusterDomainClaim {
    let namespace = mapping.namespace().unwrap_or_default();
    ClusterDomainClaim::new(&mapping.name_any(), ClusterDomainClaimSpec { namespace })
}

/// The Ingress that leads the domain to `target`.
pub(super) fn ingress(
    mapping: &DomainMapping,
    target: &Target,
    certificate: &Certificate,
    http_option: Option<HttpOption>,
    network: &NetworkConfig,
) -> Ingress {
    Ingress {
        metadata: ObjectMeta {
            name: Some(ingress_name(mapping)),
            namespace: mapping.namespace(),
            labels: Some(labels(mapping)),
            annotations: Some(gateway::annotations(mapping, network)),
            owner_references: Some(vec![owner_reference(mapping)]),
            ..ObjectMeta::default()
        },
        spec: IngressSpec {
            http_option,
            tls: certificate.tls(mapping),
            rules: rules(mapping, target, certificate),
        },
        status: None,
    }
}

fn labels(mapping: &DomainMapping) -> BTreeMap<String, String> {
    let mut labels = mapping.labels().clone();
    for (key, value) in [
        (serving::DOMAIN_MAPPING_UID, mapping.uid()),
        (serving::DOMAIN_MAPPING_NAMESPACE, mapping.namespace()),
    ] {
        labels.insert(key.to_owned(), value.unwrap_or_default());
    }
    labels
}

/// Before all else, what an issuer asks the domain; what it asks other hosts has rules of its own.
fn rules(mapping: &DomainMapping, target: &Target, certificate: &Certificate) -> Vec<IngressRule> {
    let domain = mapping.name_any();
    let (ours, others): (Vec<_>, Vec<_>) = certificate
        .challenges()
        .iter()
        .partition(|challenge| challenge.host == domain);
    let mut paths: Vec<_> = ours.into_iter().map(|it| it.path.clone()).collect();
    paths.push(path(mapping, target));
    let others = others
        .into_iter()
        .map(|challenge| rule(challenge.host.clone(), vec![challenge.path.clone()]));
    [rule(domain, paths)].into_iter().chain(others).collect()
}

fn path(mapping: &DomainMapping, target: &Target) -> IngressPath {
    let domain = mapping.name_any();
    let split = IngressSplit {
        service_namespace: mapping.namespace().unwrap_or_default(),
        service_name: target.service.clone(),
        service_port: IntOrString::Int(PORT),
        percent: 100,
        append_headers: BTreeMap::from([(gateway::canonical(header::ORIGINAL_HOST), domain)]),
    };
    IngressPath {
        rewrite_host: Some(target.host.clone()),
        splits: vec![split],
        ..IngressPath::default()
    }
}

fn rule(host: String, paths: Vec<IngressPath>) -> IngressRule {
    IngressRule {
        hosts: vec![host],
        visibility: Visibility::ExternalIP,
        http: Some(HttpRule { paths }),
    }
}
