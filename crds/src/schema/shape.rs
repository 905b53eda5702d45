//! Cuts a schema down to a tree of fields.

use serde_json::{Map, Value, json};

/// What to keep of a schema.
#[derive(Debug)]
pub(super) enum Shape {
    /// All of it.
    Whole,
    /// An object whose fields somebody else judges.
    Opaque,
    /// A list of such objects.
    Opaques,
    /// An object with only these fields.
    Fields(&'static [(&'static str, Shape)]),
    /// A list of objects with only these fields.
    Each(&'static [(&'static str, Shape)]),
}

/// `schema` cut down to `shape`. Fields that the schema does not have stay out.
pub(super) fn cut(mut schema: Value, shape: &Shape) -> Value {
    match shape {
        Shape::Whole => schema,
        Shape::Opaque => described(&schema, opaque()),
        Shape::Opaques => described(&schema, json!({ "type": "array", "items": opaque() })),
        Shape::Fields(fields) => {
            keep(&mut schema, fields);
            schema
        }
        Shape::Each(fields) => {
            if let Some(items) = schema.get_mut("items") {
                keep(items, fields);
            }
            schema
        }
    }
}

fn keep(object: &mut Value, fields: &[(&str, Shape)]) {
    let Some(Value::Object(properties)) = object.get_mut("properties").map(Value::take) else {
        return;
    };
    let kept: Map<String, Value> = properties
        .into_iter()
        .filter_map(|(name, schema)| {
            let (_, shape) = fields.iter().find(|(field, _)| *field == name)?;
            Some((name, cut(schema, shape)))
        })
        .collect();
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.retain(|name| name.as_str().is_some_and(|name| kept.contains_key(name)));
    }
    object["properties"] = Value::Object(kept);
}

fn opaque() -> Value {
    json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

fn described(from: &Value, mut to: Value) -> Value {
    if let Some(description) = from.get("description") {
        to["description"] = description.clone();
    }
    to
}

/// Makes the field `name` of an object optional.
pub(super) fn optional(object: &mut Value, name: &str) {
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.retain(|field| field != name);
        if required.is_empty() {
            object
                .as_object_mut()
                .map(|object| object.remove("required"));
        }
    }
}

/// Makes a list one whose entries `key` tells apart.
pub(super) fn keyed_by(list: &mut Value, key: &str) {
    list["x-kubernetes-list-type"] = json!("map");
    list["x-kubernetes-list-map-keys"] = json!([key]);
}

/// Makes an object one that server-side apply replaces as a whole.
pub(super) fn atomic(object: &mut Value) {
    object["x-kubernetes-map-type"] = json!("atomic");
}

#[cfg(test)]
mod tests {
    use super::{Shape, cut};
    use serde_json::json;

    #[test]
    fn only_named_fields_stay() {
        let schema = json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {
                "a": { "type": "object", "description": "kept", "properties": { "x": {} } },
                "b": { "type": "string" },
            },
        });
        let seen = cut(
            schema,
            &Shape::Fields(&[("a", Shape::Opaque), ("c", Shape::Whole)]),
        );
        assert_eq!(
            seen,
            json!({
                "type": "object",
                "required": ["a"],
                "properties": {
                    "a": {
                        "type": "object",
                        "description": "kept",
                        "x-kubernetes-preserve-unknown-fields": true,
                    },
                },
            })
        );
    }
}
