//! Rules of a reference to an object of the same namespace (contract/control-plane 1.7, 1.8).

use super::FieldErrors;
use super::names::{dns1123, identifier, qualified};

/// Version, kind and name of the object.
pub(super) fn validate(
    api_version: Option<&str>,
    kind: Option<&str>,
    name: Option<&str>,
) -> FieldErrors {
    let fields: [(_, _, fn(&str) -> Vec<String>); 3] = [
        ("apiVersion", api_version, qualified),
        ("kind", kind, identifier),
        ("name", name, dns1123),
    ];
    let mut errors = FieldErrors::none();
    for (field, value, faults) in fields {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            errors.also(FieldErrors::missing([field]));
            continue;
        };
        let faults = faults(value);
        if !faults.is_empty() {
            errors.also(FieldErrors::invalid(faults.join(", "), field));
        }
    }
    errors
}
