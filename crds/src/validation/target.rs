//! Rules of a reference to an object of the same namespace (contract/control-plane 1.7, 1.8).

use super::FieldErrors;
use super::names::{dns1123, identifier, qualified};

/// Version, kind and name of the object.
pub(super) fn validate(
    api_version: Option<&str>,
    kind: Option<&str>,
    name: Option<&str>,
) -> FieldErrors {
    let mut errors = field("apiVersion", api_version, qualified);
    errors.also(field("kind", kind, identifier));
    errors.also(field("name", name, dns1123));
    errors
}

fn field(
    name: &'static str,
    value: Option<&str>,
    faults: impl Fn(&str) -> Vec<String>,
) -> FieldErrors {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return FieldErrors::missing([name]);
    };
    let faults = faults(value);
    if faults.is_empty() {
        return FieldErrors::none();
    }
    FieldErrors::invalid(faults.join(", "), name)
}
