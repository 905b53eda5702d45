//! All CustomResourceDefinitions as we ship them (contract/control-plane 1.1).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::autoscaling::{Metric, PodAutoscaler};
use crate::certificate::Certificate;
use crate::cluster_domain_claim::ClusterDomainClaim;
use crate::configuration::Configuration;
use crate::domain_mapping::DomainMapping;
use crate::image::Image;
use crate::networking::{Ingress, ServerlessService};
use crate::revision::Revision;
use crate::route::Route;
use crate::service::Service;

/// Version that manifests from the peer's first years are written in: served, never stored.
const OLDER_VERSION: &str = "v1alpha1";
/// Group whose CRDs upstream labels as a component of their own.
const NETWORKING: &str = "networking.internal.knative.dev";

/// Every CRD as JSON, in the order in which people read them. Deterministic.
pub fn crds() -> Vec<Value> {
    let mut autoscaler = finished(&PodAutoscaler::crd());
    require(
        &mut autoscaler,
        "/status",
        &["metricsServiceName", "serviceName"],
    );
    let mut mapping = finished(&DomainMapping::crd());
    require(&mut mapping, "/spec", &["ref"]);
    require(&mut mapping, "/spec/properties/ref", &["kind", "name"]);
    require(&mut mapping, "/spec/properties/tls", &["secretName"]);
    atomic(&mut autoscaler, "/spec/properties/scaleTargetRef");
    let mut image = finished(&Image::crd());
    set(
        &mut image,
        "/spec/properties/imagePullSecrets/items/properties/name",
        "default",
        &json!(""),
    );
    let mut serverless = finished(&ServerlessService::crd());
    atomic(&mut serverless, "/spec/properties/objectRef");
    vec![
        in_two_versions(&Service::crd()),
        in_two_versions(&Configuration::crd()),
        in_two_versions(&Revision::crd()),
        in_two_versions(&Route::crd()),
        mapping,
        autoscaler,
        finished(&Metric::crd()),
        finished(&Ingress::crd()),
        serverless,
        finished(&Certificate::crd()),
        finished(&ClusterDomainClaim::crd()),
        image,
    ]
}

/// Name of the file that holds a CRD: `service.yaml`.
pub fn file_name(crd: &Value) -> String {
    let singular = crd.pointer("/spec/names/singular").and_then(Value::as_str);
    match singular.unwrap_or_default() {
        "domainmapping" => "domain-mapping.yaml".to_owned(),
        singular => format!("{singular}.yaml"),
    }
}

fn finished(crd: &CustomResourceDefinition) -> Value {
    let mut crd = serde_json::to_value(crd).unwrap_or_default();
    let group = crd["spec"]["group"].clone();
    let labels = &mut crd["metadata"]["labels"];
    labels["app.kubernetes.io/name"] = json!("knative-serving");
    labels["app.kubernetes.io/version"] = json!("devel");
    labels["knative.dev/crd-install"] = json!("true");
    if group == NETWORKING {
        labels["app.kubernetes.io/component"] = json!("networking");
    }
    simplify(&mut crd["spec"]["versions"], false);
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        version["subresources"]["status"] = json!({});
        finish_schema(&mut version["schema"]["openAPIV3Schema"]);
    }
    crd
}

fn finish_schema(schema: &mut Value) {
    schema["description"] = schema["properties"]["spec"]["description"].clone();
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("required");
        fields.remove("title");
    }
    let properties = &mut schema["properties"];
    properties["apiVersion"] = json!({
        "description": "Version of the API that the object is written in.",
        "type": "string",
    });
    properties["kind"] = json!({ "description": "Kind of the object.", "type": "string" });
    // Kubernetes describes the metadata itself, and takes no words of others.
    properties["metadata"] = json!({ "type": "object" });
    if let Some(status) = properties.get_mut("status") {
        status["properties"]["annotations"] = json!({
            "description": "Notes of other tools. Fermata neither reads nor writes them.",
            "type": "object",
            "additionalProperties": { "type": "string" },
        });
    }
}

/// Takes out what only derived schemas have. Null means absent, as in Go: the API server drops nulls of
/// fields that are not nullable. Defaults that come from our types are the webhook's business, and the
/// lines of doc comments are no paragraphs; both stay in the pod, which is Kubernetes'.
fn simplify(schema: &mut Value, in_pod: bool) {
    let in_pod = in_pod || schema.pointer("/properties/containers").is_some();
    match schema {
        Value::Object(fields) => {
            fields.remove("nullable");
            if let Some(Value::String(text)) = fields.get_mut("description").filter(|_| !in_pod) {
                *text = text.replace('\n', " ");
            }
            if let Some(choices) = fields.get_mut("enum").and_then(Value::as_array_mut) {
                choices.retain(|choice| !choice.is_null());
            }
            if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
                for property in properties.values_mut().filter_map(Value::as_object_mut) {
                    property.retain(|key, _| in_pod || key != "default");
                }
            }
            fields
                .values_mut()
                .for_each(|field| simplify(field, in_pod));
        }
        Value::Array(entries) => {
            entries.iter_mut().for_each(|entry| simplify(entry, in_pod));
        }
        _ => {}
    }
}

/// The CRD with the schema of its version under an older name as well.
fn in_two_versions(crd: &CustomResourceDefinition) -> Value {
    let mut crd = finished(crd);
    let mut older = crd["spec"]["versions"][0].clone();
    let newer = text(&older, "/name");
    let (group, kind) = (text(&crd, "/spec/group"), text(&crd, "/spec/names/kind"));
    older["deprecationWarning"] = json!(format!(
        "{group}/{OLDER_VERSION} {kind} is deprecated; use {group}/{newer} {kind}"
    ));
    older["name"] = json!(OLDER_VERSION);
    older["storage"] = json!(false);
    older["deprecated"] = json!(true);
    briefly(&mut older["schema"]["openAPIV3Schema"]);
    if let Some(versions) = crd["spec"]["versions"].as_array_mut() {
        versions.push(older);
    }
    crd
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

/// Cuts every description to its first sentence: the whole CRD must fit into the annotation that
/// `kubectl apply` keeps of it, twice over.
fn briefly(schema: &mut Value) {
    if let Some(Value::String(description)) = schema.get_mut("description")
        && let Some(end) = description.find(". ")
    {
        description.truncate(end + 1);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(inner) {
            briefly(inner);
        }
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties
        .into_iter()
        .flat_map(Map::values_mut)
        .for_each(briefly);
}

fn require(crd: &mut Value, part: &str, fields: &[&str]) {
    set(crd, part, "required", &json!(fields));
}

/// Makes an object one that server-side apply replaces as a whole, as in Kubernetes' own types.
fn atomic(crd: &mut Value, part: &str) {
    set(crd, part, "x-kubernetes-map-type", &json!("atomic"));
}

fn set(crd: &mut Value, part: &str, key: &str, value: &Value) {
    let pointer = format!("/schema/openAPIV3Schema/properties{part}");
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        if let Some(schema) = version.pointer_mut(&pointer) {
            schema[key] = value.clone();
        }
    }
}

#[cfg(test)]
mod tests;
