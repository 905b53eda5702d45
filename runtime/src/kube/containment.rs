//! Whether what we want stands in what is there already.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

/// Whether every field of `wanted` has the same value in `current`. `current` may have more: other
/// writers' fields and the API server's defaults. Lists must have the same length.
pub(crate) fn contains(current: &Value, wanted: &Value) -> bool {
    match (current, wanted) {
        (Value::Object(current), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| current.get(key).is_some_and(|there| contains(there, value))),
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
