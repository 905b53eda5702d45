//! What changed between two specs, for people.

use serde::Serialize;
use serde_json::Value;

use super::FieldErrors;

/// The spec may not change.
pub(super) fn immutable<S: Serialize>(new: &S, old: &S) -> FieldErrors {
    match difference(old, new) {
        Some(changes) => {
            FieldErrors::new("Immutable fields changed (-old +new)", ["spec"]).details(changes)
        }
        None => FieldErrors::none(),
    }
}

/// Each value that differs, with its path; nothing if none does.
pub(super) fn difference<S: Serialize>(old: &S, new: &S) -> Option<String> {
    let (old, new) = (
        serde_json::to_value(old).ok()?,
        serde_json::to_value(new).ok()?,
    );
    let mut lines = Vec::new();
    compare("", &old, &new, &mut lines);
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                let side = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_default()
                };
                compare(&format!("{path}.{key}"), &side(old), &side(new), lines);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let side = |list: &[Value]| list.get(index).cloned().unwrap_or_default();
                compare(&format!("{path}[{index}]"), &side(old), &side(new), lines);
            }
        }
        (old, new) if old == new => {}
        (old, new) => {
            let path = path.trim_start_matches('.');
            lines.push(format!("{path}:\n\t-: {old}\n\t+: {new}"));
        }
    }
}
