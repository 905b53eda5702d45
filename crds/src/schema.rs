//! OpenAPI schemas where the derived ones would be too large or too strict
//! (contract/control-plane 1.1, "Schema quirks").

mod crd;
mod pod;
mod shape;
mod words;

pub use crd::{crds, file_name};

use std::borrow::Cow;

use k8s_openapi::api::core::v1::PodSpec;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::revision::RevisionSpec;

/// Metadata of a template: any fields are kept, the usual ones are explained.
pub(crate) fn template_metadata(_: &mut SchemaGenerator) -> Schema {
    let text = |words: &str| json!({ "type": "string", "description": words });
    let map = |words: &str| {
        json!({
            "type": "object",
            "description": words,
            "additionalProperties": { "type": "string" },
        })
    };
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "name": text(
                "Name of the revision, a DNS label that starts with the name of the object and a dash. \
                 Must change with every change of the template. Default: NAME-00001 and so on.",
            ),
            "namespace": text("Has no effect: the revision lies where the object lies."),
            "labels": map("Labels of the revision and of its pods."),
            "annotations": map(
                "Annotations of the revision and of its pods. Those of autoscaling.knative.dev say how \
                 it is scaled: min-scale, max-scale, target, window, metric and others.",
            ),
            "finalizers": {
                "type": "array",
                "items": { "type": "string" },
                "description": "Has no effect: a revision gets no finalizers from its template.",
            },
        },
    })
}

/// A port by number or by name.
pub(crate) fn int_or_string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-int-or-string": true })
}

/// Names of objects of the same namespace.
pub(crate) fn object_references(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {
                "name": {
                    "type": "string",
                    "description": "Name of the object, in the same namespace.",
                },
            },
        },
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
