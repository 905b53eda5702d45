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
        "status",
        &["metricsServiceName", "serviceName"],
    );
    vec![
        finished(&Service::crd()),
        finished(&Configuration::crd()),
        finished(&Revision::crd()),
        route,
        finished(&DomainMapping::crd()),
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
    labels["app.kubernetes.io/version"] = json!(env!("CARGO_PKG_VERSION"));
    labels["knative.dev/crd-install"] = json!("true");
    without_nulls(&mut crd["spec"]["versions"]);
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        schema["properties"]["apiVersion"] = json!({
            "description": "Version of the API that the object is written in.",
            "type": "string",
        });
        schema["properties"]["kind"] =
            json!({ "description": "Kind of the object.", "type": "string" });
        schema["properties"]["metadata"] = json!({ "type": "object" });
    }
    crd
}

/// Null means absent, as in Go: the API server drops nulls of fields that are not nullable.
fn without_nulls(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("nullable");
            for choices in fields.get_mut("enum").and_then(Value::as_array_mut) {
                choices.retain(|choice| !choice.is_null());
            }
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(entries) => entries.iter_mut().for_each(without_nulls),
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
    for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
        version["schema"]["openAPIV3Schema"]["properties"][part]["required"] = json!(fields);
    }
}

#[cfg(test)]
mod tests;
