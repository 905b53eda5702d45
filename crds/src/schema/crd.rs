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

/// Every CRD as JSON, in the order in which people read them. Deterministic.
pub fn crds() -> Vec<Value> {
    let mut route = finished(&Route::crd());
    add_deprecated_version(&mut route, "v1alpha1");
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
    vec![
        finished(&Service::crd()),
        finished(&Configuration::crd()),
        finished(&Revision::crd()),
        route,
        mapping,
        autoscaler,
        finished(&Metric::crd()),
        finished(&Ingress::crd()),
        finished(&ServerlessService::crd()),
        finished(&Certificate::crd()),
        finished(&ClusterDomainClaim::crd()),
        finished(&Image::crd()),
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
    let labels = &mut crd["metadata"]["labels"];
    labels["app.kubernetes.io/name"] = json!("knative-serving");
    labels["app.kubernetes.io/version"] = json!("devel");
    labels["knative.dev/crd-install"] = json!("true");
    without_nulls_and_defaults(&mut crd["spec"]["versions"], false);
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        schema["properties"]["apiVersion"] = json!({
            "description": "Version of the API that the object is written in.",
            "type": "string",
        });
        schema["properties"]["kind"] =
            json!({ "description": "Kind of the object.", "type": "string" });
        schema["description"] = schema["properties"]["spec"]["description"].clone();
        schema
            .as_object_mut()
            .map(|schema| schema.remove("required"));
        schema["properties"]["metadata"] = json!({ "type": "object" });
    }
    crd
}

/// Null means absent, as in Go: the API server drops nulls of fields that are not nullable. Defaults
/// that come from our types are the webhook's business; those of the pod stay.
fn without_nulls_and_defaults(schema: &mut Value, in_pod: bool) {
    let in_pod = in_pod || schema.pointer("/properties/containers").is_some();
    match schema {
        Value::Object(fields) => {
            fields.remove("nullable");
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
                .for_each(|field| without_nulls_and_defaults(field, in_pod));
        }
        Value::Array(entries) => {
            entries
                .iter_mut()
                .for_each(|entry| without_nulls_and_defaults(entry, in_pod));
        }
        _ => {}
    }
}

/// Serves the stored version's schema under an older name as well.
fn add_deprecated_version(crd: &mut Value, name: &str) {
    let stored = crd["spec"]["versions"][0].clone();
    let text = |pointer: &str| {
        crd.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
    let newer = stored["name"].as_str().unwrap_or_default();
    let warning = format!("{group}/{name} {kind} is deprecated; use {group}/{newer} {kind}");
    let mut older: Map<String, Value> = stored.as_object().cloned().unwrap_or_default();
    older.insert("name".to_owned(), json!(name));
    older.insert("storage".to_owned(), json!(false));
    older.insert("deprecated".to_owned(), json!(true));
    older.insert("deprecationWarning".to_owned(), json!(warning));
    if let Some(versions) = crd["spec"]["versions"].as_array_mut() {
        versions.push(Value::Object(older));
    }
}

fn require(crd: &mut Value, part: &str, fields: &[&str]) {
    let pointer = format!("/schema/openAPIV3Schema/properties{part}");
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        if let Some(schema) = version.pointer_mut(&pointer) {
            schema["required"] = json!(fields);
        }
    }
}

#[cfg(test)]
mod tests;
