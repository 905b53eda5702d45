//! Objects as large as the API server takes them. What a fault costs must not grow with the
//! number of others: neither time (these tests would not end) nor text.

use serde_json::{Value, json};

use super::{FieldErrors, with};
use crate::service::Service;

const MANY: usize = 10_000;

fn list(item: impl Fn(usize) -> Value) -> Value {
    (0..MANY).map(item).collect()
}

fn faults_of_pod(pod: &Value) -> FieldErrors {
    let service: Service = serde_json::from_value(json!({
        "apiVersion": "v",
        "kind": "Service",
        "metadata": { "name": "s" },
        "spec": { "template": { "spec": pod }, "traffic": [{ "percent": 100 }] },
    }))
    .unwrap();
    with("", |ctx| super::validate_service(&service, None, ctx)).errors()
}

fn faults_of(field: &str, items: &Value) -> String {
    let mut container = json!({ "image": "a/b", "name": "c" });
    container[field] = items.clone();
    faults_of_pod(&json!({ "containers": [container] })).to_string()
}

#[test]
fn many_variables_are_judged_one_by_one() {
    let text = faults_of("env", &list(|_| json!({ "name": "PORT" })));
    assert_eq!(text.lines().count(), 1);
    assert_eq!(text.matches(".name").count(), MANY);
}

#[test]
fn many_volumes_and_mounts_are_judged_one_by_one() {
    let pod = json!({
        "containers": [{
            "image": "a/b",
            "name": "c",
            "volumeMounts": list(|i| json!({ "name": format!("v{i}"), "mountPath": format!("/{i}"), "readOnly": true })),
        }],
        "volumes": list(|i| json!({ "name": format!("v{i}"), "secret": { "secretName": "s" } })),
    });
    assert_eq!(faults_of_pod(&pod).to_string(), "");
}

#[test]
fn paths_do_not_grow_with_the_list() {
    let text = faults_of(
        "envFrom",
        &list(|_| json!({ "secretRef": {}, "configMapRef": {} })),
    );
    assert!(text.len() < 1 << 20, "{}", text.len());
    let first_bad = list(|i| match i {
        0 => json!({}),
        _ => json!({ "secretRef": {} }),
    });
    let text = faults_of("envFrom", &first_bad);
    assert!(text.len() < 1 << 16, "{}", text.len());
    let same = list(|_| json!({ "image": "a b", "name": "x" }));
    let text = faults_of_pod(&json!({ "containers": same })).to_string();
    assert!(text.len() < 1 << 21, "{}", text.len());
}

#[test]
fn a_long_text_is_read_once() {
    for text in ["9", ".", "-", "1s", "\u{200b}", "../"] {
        let long = text.repeat((1 << 20) / text.len());
        let pod = json!({ "containers": [{
            "image": long,
            "name": long,
            "env": [{ "name": long }],
            "resources": { "limits": { "cpu": long } },
            "volumeMounts": [{ "name": long, "mountPath": format!("/{long}") }],
        }], "serviceAccountName": long, "volumes": [{ "name": long }] });
        assert!(!faults_of_pod(&pod).is_empty());
    }
}
