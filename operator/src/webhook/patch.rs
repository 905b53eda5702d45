//! What defaulting changed, as a JSON patch.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::{Value, json};

/// With more operations a patch is longer than what it changes, and the API server walks the object
/// for each.
const MANY: usize = 500;

/// The patch that gives `raw` the spec and the annotations of `typed`. Status and the rest of the
/// metadata are not ours to touch.
pub(crate) fn between(raw: &Value, mut typed: Value) -> Patch {
    let mut operations = Vec::new();
    if let Some(annotations) = typed.pointer_mut("/metadata/annotations").map(Value::take) {
        let metadata = raw.get("metadata").filter(|metadata| !metadata.is_null());
        operations.extend(match metadata {
            Some(_) => put(raw, &["metadata", "annotations"], annotations),
            None => put(raw, &["metadata"], json!({ "annotations": annotations })),
        });
    }
    if let Some(spec) = typed.get_mut("spec").map(Value::take) {
        operations.extend(put(raw, &["spec"], spec));
    }
    Patch(operations)
}

/// What puts `wanted` in the place of what `raw` has at `path`.
fn put(raw: &Value, path: &[&str], mut wanted: Value) -> Vec<PatchOperation> {
    let path = PointerBuf::from_tokens(path.iter().copied());
    // On a field that is there, "add" replaces.
    let whole = |value| {
        let path = path.clone();
        vec![PatchOperation::Add(AddOperation { path, value })]
    };
    let Some(current) = raw.pointer(path.as_str()) else {
        return whole(wanted);
    };
    keep_nulls(current, &mut wanted);
    let Patch(mut operations) = json_patch::diff(current, &wanted);
    if operations.len() > MANY {
        return whole(wanted);
    }
    for operation in &mut operations {
        lengthen(operation, &path);
    }
    operations
}

/// Makes the path of an operation one from further up.
fn lengthen(operation: &mut PatchOperation, upper: &PointerBuf) {
    let path = match operation {
        PatchOperation::Add(operation) => &mut operation.path,
        PatchOperation::Remove(operation) => &mut operation.path,
        PatchOperation::Replace(operation) => &mut operation.path,
        PatchOperation::Move(operation) => &mut operation.path,
        PatchOperation::Copy(operation) => &mut operation.path,
        PatchOperation::Test(operation) => &mut operation.path,
    };
    *path = upper.concat(path);
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
