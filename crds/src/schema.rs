//! OpenAPI schemas where the derived ones would be too large or too strict
//! (contract/control-plane 1.1, "Schema quirks").

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::revision::RevisionSpec;

/// Metadata of a template: any fields are kept.
pub(crate) fn preserved_metadata(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// A port by number or by name.
pub(crate) fn int_or_string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

impl JsonSchema for RevisionSpec {
    fn schema_name() -> Cow<'static, str> {
        "RevisionSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}
