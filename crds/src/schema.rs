//! OpenAPI schemas where the derived ones would be too large or too strict
//! (contract/control-plane 1.1, "Schema quirks").

mod crd;
mod pod;
mod shape;

pub use crd::{crds, file_name};

use std::borrow::Cow;

use k8s_openapi::api::core::v1::PodSpec;
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

/// Names of objects of the same namespace.
pub(crate) fn object_references(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "object", "properties": { "name": { "type": "string" } } },
    })
}

impl JsonSchema for RevisionSpec {
    fn schema_name() -> Cow<'static, str> {
        "RevisionSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let pod = PodSpec::json_schema(generator);
        Schema::try_from(pod::revision_spec(pod.to_value())).unwrap_or_default()
    }
}
