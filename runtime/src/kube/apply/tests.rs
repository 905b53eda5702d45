use super::{APPLIED, ApplyError, is_outdated, patch_body};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::Status;
use serde_json::{Value, json};

fn config_map(data: &[(&str, &str)]) -> ConfigMap {
    let data = data
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let mut object = ConfigMap {
        data: Some(data),
        ..ConfigMap::default()
    };
    object.metadata.name = Some("settings".to_owned());
    object
}

#[test]
fn what_was_applied_is_not_applied_again() {
    let wanted = config_map(&[("a", "1")]);
    let body = patch_body(&wanted, None).unwrap();
    let current: ConfigMap = serde_json::from_value(body).unwrap();
    let annotations = current.metadata.annotations.as_ref().unwrap();
    assert!(annotations.contains_key(APPLIED));
    assert_eq!(patch_body(&wanted, Some(&current)), None);
}

#[test]
fn the_mark_of_a_parent_is_not_applied() {
    let plain = config_map(&[("a", "1")]);
    let mut marked = plain.clone();
    let mark = (APPLIED.to_owned(), "of the parent".to_owned());
    marked.metadata.annotations = Some([mark].into());
    let current: ConfigMap = serde_json::from_value(patch_body(&marked, None).unwrap()).unwrap();
    assert_eq!(patch_body(&marked, Some(&current)), None);
}

#[test]
fn a_change_by_others_and_a_dropped_field_are_mended() {
    let wanted = config_map(&[("a", "1")]);
    let body = patch_body(&wanted, None).unwrap();
    let mut current: ConfigMap = serde_json::from_value(body).unwrap();
    assert!(patch_body(&config_map(&[]), Some(&current)).is_some());
    current.data = config_map(&[("a", "2")]).data;
    assert!(patch_body(&wanted, Some(&current)).is_some());
}

fn answer(code: u16, message: &str, details: &Value) -> kube::Error {
    let status: Status = serde_json::from_value(json!({
        "status": "Failure", "code": code, "message": message, "details": details, "reason": "",
    }))
    .unwrap();
    kube::Error::Api(Box::new(status))
}

#[test]
fn an_answer_of_the_api_server_tells_whether_trying_again_helps() {
    let terminating = json!({ "causes": [{ "reason": "NamespaceTerminating" }] });
    for (code, details, wanted) in [
        (400, Value::Null, "was refused"),
        (403, Value::Null, "was refused"),
        (403, terminating, "comes too late"),
        (404, json!({ "kind": "namespaces" }), "comes too late"),
        (404, json!({ "kind": "services" }), "can't be written now"),
        (409, Value::Null, "has changed or exists already"),
        (422, Value::Null, "was refused"),
        (429, Value::Null, "can't be written now"),
        (500, Value::Null, "can't be written now"),
    ] {
        let error = ApplyError::new("Service", "a", answer(code, "why", &details));
        let text = format!("Service \"a\" {wanted}: why");
        assert_eq!(error.to_string(), text, "{code} {details}");
        assert_eq!(error.message(), "why");
    }
}

#[test]
fn a_patch_that_does_not_fit_is_no_refusal_of_a_value() {
    let outdated = "the server rejected our request due to an error in our request";
    assert!(is_outdated(&answer(422, outdated, &Value::Null)));
    assert!(!is_outdated(&answer(
        422,
        "spec.x: Invalid value",
        &Value::Null
    )));
}
