//! Rules of a DomainMapping (contract/control-plane 1.9).

use super::FieldErrors;
use super::names::{dns1123, subdomain};
use super::text::quoted;
use crate::domain_mapping::{DomainMapping, KReference};

const CLUSTER_DOMAIN: &str = "cluster.local";

pub(super) fn validate(mapping: &DomainMapping) -> FieldErrors {
    let meta = &mapping.metadata;
    let mut errors = name(meta.name.as_deref().unwrap_or_default());
    if !meta.generate_name.as_deref().unwrap_or_default().is_empty() {
        errors.also(FieldErrors::disallowed(["generateName"]));
    }
    let mut errors = errors.at("metadata");
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    errors.also(reference(&mapping.spec.reference, namespace).at("spec.ref"));
    errors
}

fn name(name: &str) -> FieldErrors {
    let inside = name.ends_with(&format!(".{CLUSTER_DOMAIN}"));
    let inside = inside.then(|| {
        let domain = quoted(CLUSTER_DOMAIN);
        format!("must not be a subdomain of cluster local domain {domain}")
    });
    let faults = not_a_domain(name).into_iter().chain(inside);
    faults
        .map(|fault| FieldErrors::new(format!("invalid name {}: {fault}", quoted(name)), ["name"]))
        .collect()
}

/// Why `name` is not a domain of two parts or more.
fn not_a_domain(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("name: Required value".to_owned());
    }
    let invalid = |name: &str, fault: &str| {
        let name = quoted(name);
        Some(format!("name: Invalid value: {name}: {fault}"))
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let faults = subdomain(name);
    if !faults.is_empty() {
        return invalid(name, &faults.join(","));
    }
    if !name.contains('.') {
        let fault = "should be a domain with at least two segments separated by dots";
        return invalid(name, fault);
    }
    let bad = name.split('.').find(|label| !dns1123(label).is_empty())?;
    invalid(bad, &dns1123(bad).join(","))
}

fn reference(reference: &KReference, namespace: &str) -> FieldErrors {
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut errors = FieldErrors::none();
    for (field, missing) in [
        ("name", reference.name.is_empty()),
        ("kind", reference.kind.is_empty()),
        ("apiVersion", set(&reference.api_version).is_none()),
    ] {
        if missing {
            errors.also(FieldErrors::missing([field]));
        }
    }
    if set(&reference.group).is_some() {
        errors.also(FieldErrors::disallowed(["group"]));
    }
    let own = set(&reference.namespace);
    if let Some(own) = own.filter(|own| !namespace.is_empty() && own != namespace) {
        let (parent, own) = (quoted(namespace), quoted(&own));
        let details = format!("parent namespace: {parent} does not match ref: {own}");
        errors.also(FieldErrors::new("mismatched namespaces", ["namespace"]).details(details));
    }
    errors
}
