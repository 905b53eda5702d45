//! Rules of a DomainMapping (contract/control-plane 1.9).

use super::FieldErrors;
use super::names::subdomain;
use crate::domain_mapping::{DomainMapping, KReference};

const CLUSTER_DOMAIN: &str = "cluster.local";

pub(super) fn validate(mapping: &DomainMapping) -> FieldErrors {
    let mut errors = name(mapping);
    if mapping
        .metadata
        .generate_name
        .as_deref()
        .is_some_and(|prefix| !prefix.is_empty())
    {
        errors.also(FieldErrors::disallowed(["generateName"]));
    }
    let mut errors = errors.at("metadata");
    let namespace = mapping.metadata.namespace.as_deref().unwrap_or_default();
    errors.also(
        reference(&mapping.spec.reference, namespace)
            .at("ref")
            .at("spec"),
    );
    if mapping
        .spec
        .tls
        .as_ref()
        .is_some_and(|tls| tls.secret_name.is_empty())
    {
        errors.also(FieldErrors::missing(["spec.tls.secretName"]));
    }
    errors
}

fn name(mapping: &DomainMapping) -> FieldErrors {
    let name = mapping.metadata.name.as_deref().unwrap_or_default();
    let why = if name.is_empty() {
        "name: Required value".to_owned()
    } else if let Some(fault) = subdomain(name).first() {
        format!("name: Invalid value: {name:?}: {fault}")
    } else if !name.contains('.') {
        format!(
            "name: Invalid value: {name:?}: should be a domain with at least two segments separated by dots"
        )
    } else if name.ends_with(&format!(".{CLUSTER_DOMAIN}")) {
        format!("must not be a subdomain of cluster local domain {CLUSTER_DOMAIN:?}")
    } else {
        return FieldErrors::none();
    };
    FieldErrors::new(format!("invalid name {name:?}: {why}"), ["name"])
}

fn reference(reference: &KReference, namespace: &str) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (field, value) in [
        ("name", reference.name.as_str()),
        ("kind", &reference.kind),
        (
            "apiVersion",
            reference.api_version.as_deref().unwrap_or_default(),
        ),
    ] {
        if value.is_empty() {
            errors.also(FieldErrors::missing([field]));
        }
    }
    for (field, value) in [("group", &reference.group), ("address", &reference.address)] {
        if value.as_deref().is_some_and(|value| !value.is_empty()) {
            errors.also(FieldErrors::disallowed([field]));
        }
    }
    let own = reference.namespace.as_deref().unwrap_or_default();
    if own.is_empty() {
        errors.also(FieldErrors::missing(["namespace"]));
    } else if own != namespace {
        errors.also(
            FieldErrors::new("mismatched namespaces", ["namespace"]).details(format!(
                "parent namespace: {namespace:?} does not match ref: {own:?}"
            )),
        );
    }
    errors
}
