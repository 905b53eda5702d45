//! Which fields of a Kubernetes object are set.

use serde::Serialize;
use serde_json::Value;

use super::FieldErrors;

/// Names of the fields that are set.
pub(super) fn set(object: &impl Serialize) -> Vec<String> {
    match serde_json::to_value(object) {
        Ok(Value::Object(fields)) => fields.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

/// Every field of `object` that is set and not `allowed`.
pub(super) fn only(object: &impl Serialize, allowed: &[&str]) -> FieldErrors {
    let others = set(object)
        .into_iter()
        .filter(|field| !allowed.contains(&field.as_str()));
    others
        .map(|field| FieldErrors::disallowed([field]))
        .collect()
}

/// Exactly one of `choices` must be set.
pub(super) fn exactly_one(object: &impl Serialize, choices: &[&str]) -> FieldErrors {
    let set = set(object);
    let chosen: Vec<&str> = choices
        .iter()
        .copied()
        .filter(|choice| set.iter().any(|field| field == choice))
        .collect();
    match chosen.as_slice() {
        [] => FieldErrors::neither(choices.iter().copied()),
        [_] => FieldErrors::none(),
        several => FieldErrors::both(several.iter().copied()),
    }
}
