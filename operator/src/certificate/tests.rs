//! Orders, and how they stand.

mod stories;

use std::collections::BTreeMap;

use crds::config::NetworkConfig;
use crds::domain_mapping::DomainMapping;
use crds::name::networking;
use serde_json::json;

use super::class::{BUILT_IN, Issuer, chosen};
use super::order::{Purpose, adler32, for_domain_mapping};
use crate::golden::document;

#[test]
fn adler32_is_what_others_compute() {
    for (text, expected) in [("", 1), ("Wikipedia", 0x11e6_0398), ("blue", 69_140_905)] {
        assert_eq!(adler32(text), expected, "{text}");
    }
    // 6000 bytes of 0xff overflow nothing.
    assert!(adler32(&"\u{ff}".repeat(6000)) > 0);
}

#[test]
fn the_first_spelling_of_the_class_counts_and_an_empty_one_does_not() {
    let network = NetworkConfig::default();
    let (first, second) = (
        networking::CERTIFICATE_CLASS,
        networking::CERTIFICATE_CLASS_ALT,
    );
    for (annotations, expected) in [
        (vec![], network.certificate_class.as_str()),
        (vec![(first, "")], network.certificate_class.as_str()),
        (vec![(second, "b")], "b"),
        (vec![(first, "a"), (second, "b")], "a"),
    ] {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let annotations: BTreeMap<String, String> = annotations.into_iter().map(owned).collect();
        assert_eq!(chosen(&annotations, &network), expected, "{annotations:?}");
    }
}

#[test]
fn the_class_chooses_the_issuer() {
    let network = NetworkConfig::default();
    for (class, expected) in [
        (None, Issuer::CertManager),
        (
            Some("cert-manager.certificate.networking.knative.dev"),
            Issuer::CertManager,
        ),
        (Some(BUILT_IN), Issuer::BuiltIn),
        (Some("someone.else"), Issuer::Other),
    ] {
        let mut certificate = crds::certificate::Certificate::default();
        let annotation = |class: &str| (networking::CERTIFICATE_CLASS.to_owned(), class.to_owned());
        certificate.metadata.annotations = Some(class.map(annotation).into_iter().collect());
        assert_eq!(Issuer::of(&certificate, &network), expected, "{class:?}");
    }
}

#[test]
fn purposes_are_read_as_they_are_written() {
    for purpose in [
        Purpose::ExternalDomain,
        Purpose::ClusterLocalDomain,
        Purpose::SystemInternal,
    ] {
        let mut certificate = crds::certificate::Certificate::default();
        let label = (
            networking::CERTIFICATE_TYPE.to_owned(),
            purpose.as_str().to_owned(),
        );
        certificate.metadata.labels = Some([label].into());
        assert_eq!(Purpose::of(&certificate), Some(purpose));
    }
}

#[test]
fn a_domain_mapping_orders_a_certificate_for_its_name() {
    let mapping = |name: &str| -> DomainMapping {
        serde_json::from_value(json!({
            "apiVersion": "serving.knative.dev/v1beta1", "kind": "DomainMapping",
            "metadata": { "name": name, "namespace": "ns", "uid": "u", "annotations": { "mine": "kept" } },
            "spec": {},
        }))
        .unwrap()
    };
    let order = for_domain_mapping(&mapping("my.example.com"), &NetworkConfig::default());
    let wanted = json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
        "metadata": {
            "name": "my.example.com", "namespace": "ns",
            "annotations": {
                "mine": "kept",
                "networking.knative.dev/certificate.class": "cert-manager.certificate.networking.knative.dev",
            },
            "labels": {
                "networking.knative.dev/certificate-type": "external-domain",
                "serving.knative.dev/domainMappingUID": "my.example.com",
            },
            "ownerReferences": [{
                "apiVersion": "serving.knative.dev/v1beta1", "kind": "DomainMapping",
                "name": "my.example.com", "uid": "u", "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "dnsNames": ["my.example.com"], "domain": "my.example.com", "secretName": "my.example.com",
        },
    });
    assert_eq!(document(&order), document(&wanted));

    let long = format!("{}.example.com", "a".repeat(60));
    let order = for_domain_mapping(&mapping(&long), &NetworkConfig::default());
    assert_eq!(
        order.metadata.labels.unwrap()["serving.knative.dev/domainMappingUID"],
        "u"
    );
    assert_eq!(order.metadata.name.as_deref().map(str::len), Some(63));
    assert_eq!(order.spec.dns_names, [long]);
}
