//! What defaulting changed, as a JSON patch.

use json_patch::Patch;
use serde_json::Value;

/// The patch that turns `raw` into the object with this spec and these annotations. Status and the
/// rest of the metadata are not ours to touch.
pub(crate) fn between(raw: &Value, typed: &Value) -> Patch {
    let mut wanted = raw.clone();
    if let Some(spec) = typed.get("spec") {
        wanted["spec"] = spec.clone();
    }
    if let Some(annotations) = typed.pointer("/metadata/annotations") {
        wanted["metadata"]["annotations"] = annotations.clone();
    }
    keep_nulls(raw, &mut wanted);
    json_patch::diff(raw, &wanted)
}

/// A null of the author means the same as an absent field; removing it would be a change for
/// nothing, and bump the generation of objects that others wrote.
fn keep_nulls(raw: &Value, wanted: &mut Value) {
    match (raw, wanted) {
        (Value::Object(raw), Value::Object(wanted)) => {
            for (key, old) in raw {
                match wanted.get_mut(key) {
                    Some(new) => keep_nulls(old, new),
                    None if old.is_null() => {
                        wanted.insert(key.clone(), Value::Null);
                    }
                    None => {}
                }
            }
        }
        (Value::Array(raw), Value::Array(wanted)) => {
            raw.iter()
                .zip(wanted)
                .for_each(|(old, new)| keep_nulls(old, new));
        }
        _ => {}
    }
}
