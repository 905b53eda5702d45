mod annotations;
mod containers;
mod kinds;
mod large;
mod metadata;
mod pods;
mod properties;
mod security;
mod traffic;
mod volumes;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{FieldErrors, ValidationContext, validate_service};
use crate::config::{AutoscalerConfig, DefaultsConfig, FeaturesConfig, Settings};
use crate::service::Service;

/// Settings from `key: value` pairs, each given to every config map that knows the key.
fn settings(pairs: &str) -> Settings {
    let data: BTreeMap<String, String> = serde_yaml::from_str(&format!("{{{pairs}}}")).unwrap();
    Settings {
        autoscaler: AutoscalerConfig::parse(&data).unwrap(),
        defaults: DefaultsConfig::parse(&data).unwrap(),
        features: FeaturesConfig::parse(&data).unwrap(),
        ..Settings::default()
    }
}

fn object<K: DeserializeOwned>(yaml: &str) -> K {
    let value: Value = serde_yaml::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
    serde_json::from_value(value).unwrap_or_else(|e| panic!("{yaml}: {e}"))
}

fn with<R>(pairs: &str, check: impl FnOnce(&ValidationContext<'_>) -> R) -> R {
    let settings = settings(pairs);
    check(&ValidationContext {
        settings: &settings,
        status_only: false,
    })
}

fn service(yaml: &str) -> Service {
    object(&format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {{name: s}}, {yaml}}}"
    ))
}

fn refusals(service: &Service, pairs: &str) -> FieldErrors {
    with(pairs, |ctx| validate_service(service, None, ctx))
}

/// What is wrong with a pod, without the path to it.
fn pod_faults(pairs: &str, pod: &str) -> String {
    let service = service(&format!(
        "spec: {{template: {{spec: {pod}}}, traffic: [{{percent: 100}}]}}"
    ));
    let text = refusals(&service, pairs).errors().to_string();
    text.replace("spec.template.spec.", "")
        .replace(": spec.template.spec", ": ")
}

/// What is wrong with the only container, without the path to it.
fn container_faults(pairs: &str, fields: &str) -> String {
    pod_faults(
        pairs,
        &format!("{{containers: [{{image: a/b, {fields}}}]}}"),
    )
    .replace("containers[0].", "")
    .replace(": containers[0]", ": ")
}

/// Checks rows of settings, input and expected text.
fn check(rows: &[(&str, &str, &str)], faults: impl Fn(&str, &str) -> String) {
    for (settings, input, expect) in rows {
        assert_eq!(faults(settings, input), *expect, "{input} ({settings})");
    }
}
