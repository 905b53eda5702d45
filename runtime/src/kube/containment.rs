//! Whether what we want stands in what is there already.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

/// Whether every field of `wanted` has the same value in `current`. `current` may have more: other
/// writers' fields and the API server's defaults. Lists must have the same length. A field with no
/// more than a zero in it may be missing: admission writes objects anew without those, as
/// Knative's does.
pub(crate) fn contains(current: &Value, wanted: &Value) -> bool {
    match (current, wanted) {
        (Value::Object(current), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| match current.get(key) {
                Some(there) => contains(there, value),
                None => is_zero(value),
            })
        }
        (Value::Array(current), Value::Array(wanted)) => {
            current.len() == wanted.len()
                && current
                    .iter()
                    .zip(wanted)
                    .all(|(there, value)| contains(there, value))
        }
        (current, wanted) => current == wanted,
    }
}

/// What `omitempty` leaves out.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_zero),
    }
}

/// A fingerprint of `wanted`, 16 hex digits: differs when a field was added, changed or dropped.
pub(crate) fn fingerprint(wanted: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    wanted.to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::{contains, fingerprint};
    use serde_json::json;

    #[test]
    fn others_fields_do_not_matter_and_ours_do() {
        let current = json!({"a": 1, "b": {"c": [ {"d": 1, "default": true} ]}, "theirs": 2});
        for (wanted, expected) in [
            (json!({"a": 1}), true),
            (json!({"b": {"c": [{"d": 1}]}}), true),
            (json!({"b": {"c": []}}), false),
            (json!({"b": {"c": [{"d": 2}]}}), false),
            (json!({"missing": 1}), false),
            (json!({"missing": 0}), true),
            (json!({"missing": {"also": [], "this": ""}}), true),
            (json!({"a": 0}), false),
        ] {
            assert_eq!(contains(&current, &wanted), expected, "{wanted}");
        }
    }

    #[test]
    fn a_dropped_field_changes_the_fingerprint() {
        assert_ne!(
            fingerprint(&json!({"a": 1, "b": 2})),
            fingerprint(&json!({"a": 1}))
        );
    }
}
