use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crds::config::{Settings, example};
use json_patch::Patch;
use serde_json::{Value, json};

use super::review::{Answer, Operation, Question, Request, Verdict};
use super::{admission, config_map, dry_run};

mod certificates;
mod conversation;
mod hooks;
mod properties;
mod router;
mod sizes;

fn request(kind: &str, operation: Operation, object: impl Into<Value>) -> Request {
    let object: Value = object.into();
    let request = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": { "group": "serving.knative.dev", "version": "v1", "kind": kind },
            "namespace": "ns",
            "operation": "CREATE",
            "userInfo": { "username": "me", "groups": ["x"] },
            "object": object,
            "oldObject": null,
            "options": null,
        },
    });
    let question: Question = serde_json::from_value(request).unwrap();
    Request {
        operation,
        ..question.request
    }
}

fn service(pod: impl Into<Value>) -> Value {
    let pod: Value = pod.into();
    json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": { "name": "hello", "namespace": "ns", "creationTimestamp": null },
        "spec": { "template": { "metadata": { "creationTimestamp": null }, "spec": pod } },
    })
}

/// The object after both the patch and its way over the wire.
fn patched(object: &Value, verdict: Verdict) -> Value {
    let answer = serde_json::to_value(Answer::new("admission.k8s.io/v1", "u-1", verdict)).unwrap();
    assert_eq!(answer["response"]["uid"], "u-1");
    assert_eq!(answer["response"]["allowed"], true);
    let mut object = object.clone();
    if let Some(patch) = answer["response"]["patch"].as_str() {
        assert_eq!(answer["response"]["patchType"], "JSONPatch");
        let patch: Patch = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

fn filled(object: &Value) -> Value {
    let request = request("Service", Operation::Create, object.clone());
    patched(object, admission::fill_in(&request, &Settings::default()))
}

fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::Denied { reason, .. } => reason,
        Verdict::Allowed { .. } => String::new(),
    }
}

#[test]
fn a_new_service_is_filled_in_and_signed() {
    let object = filled(&service(json!({ "containers": [{ "image": "a/b" }] })));
    assert_eq!(object["spec"]["template"]["spec"]["timeoutSeconds"], 300);
    assert_eq!(
        object["spec"]["traffic"],
        json!([{ "latestRevision": true, "percent": 100 }])
    );
    assert_eq!(
        object["metadata"]["annotations"]["serving.knative.dev/creator"],
        "me"
    );
    let nulls = [
        "/metadata/creationTimestamp",
        "/spec/template/metadata/creationTimestamp",
    ];
    assert!(
        nulls
            .iter()
            .all(|path| object.pointer(path) == Some(&Value::Null))
    );
}

#[test]
fn an_object_that_is_whole_gets_no_patch() {
    let object = filled(&service(json!({ "containers": [{ "image": "a/b" }] })));
    let mut again = request("Service", Operation::Update, object.clone());
    again.old_object = Some(object);
    assert_eq!(
        admission::fill_in(&again, &Settings::default()),
        Verdict::allowed()
    );
}

#[test]
fn a_service_without_containers_is_refused_in_known_words() {
    for object in [
        service(json!({})),
        json!({ "apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": { "name": "s" } }),
    ] {
        let request = request("Service", Operation::Create, filled(&object));
        assert_eq!(
            reason(admission::validate(&request, &Settings::default())),
            "validation failed: missing field(s): spec.template.spec.containers"
        );
    }
}

#[test]
fn a_denial_is_a_bad_request() {
    let answer = Answer::new("admission.k8s.io/v1", "u-1", Verdict::denied("no"));
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(answer["response"]["allowed"], false);
    assert_eq!(answer["response"]["status"]["code"], 400);
    assert_eq!(answer["response"]["status"]["message"], "no");
}

#[test]
fn who_makes_ten_thousand_mistakes_reads_the_first_ones() {
    let verdict = Verdict::denied("ä".repeat(100_000));
    let answer = serde_json::to_value(Answer::new("", "u-1", verdict)).unwrap();
    let text = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(text.len() < 40_000 && text.ends_with("ä ... (167232 bytes left out)"));
}

#[test]
fn a_warning_is_one_line() {
    let verdict = Verdict::Allowed {
        patch: Patch::default(),
        warnings: vec!["a: b\nbecause".to_owned(), "c".to_owned()],
    };
    let answer = serde_json::to_value(Answer::new("", "u-1", verdict)).unwrap();
    assert_eq!(
        answer["response"]["warnings"],
        json!(["a: b", "because", "c"])
    );
}

#[test]
fn warnings_do_not_refuse() {
    let object = filled(&service(json!({ "containers": [{ "image": "a/b" }] })));
    let request = request("Service", Operation::Create, object);
    let verdict = admission::validate(&request, &Settings::default());
    let Verdict::Allowed { warnings, .. } = verdict else {
        panic!("denied")
    };
    assert!(warnings[0].starts_with("Kubernetes default value is insecure"));
}

#[test]
fn deletions_and_writes_of_a_status_pass() {
    let settings = Settings::default();
    let gone = request("Service", Operation::Delete, Value::Null);
    assert_eq!(admission::validate(&gone, &settings), Verdict::allowed());
    let mut status = request("Service", Operation::Update, service(json!({})));
    status.sub_resource = Some("status".to_owned());
    assert_eq!(admission::validate(&status, &settings), Verdict::allowed());
    assert_eq!(admission::fill_in(&status, &settings), Verdict::allowed());
}

#[test]
fn what_can_not_be_read_is_refused() {
    let settings = Settings::default();
    let bad = request(
        "Service",
        Operation::Create,
        service(json!({ "containers": 7 })),
    );
    assert!(reason(admission::fill_in(&bad, &settings)).starts_with("mutation failed: "));
    assert!(reason(admission::validate(&bad, &settings)).starts_with("decoding request failed: "));
    let unknown = request("Pod", Operation::Create, json!({}));
    assert!(reason(admission::validate(&unknown, &settings)).contains("unhandled kind"));
}

#[test]
fn fields_that_the_type_does_not_know_vanish() {
    let object = filled(&service(
        json!({ "containers": [{ "image": "a/b", "x": 1 }], "y": 2 }),
    ));
    let pod = &object["spec"]["template"]["spec"];
    assert!(pod.get("y").is_none() && pod["containers"][0].get("x").is_none());
}

fn config(name: &str, data: &Value, checksum: &str) -> Request {
    let object = json!({
        "metadata": { "name": name, "annotations": { example::CHECKSUM: checksum } },
        "data": data,
    });
    let mut request = request("ConfigMap", Operation::Update, object);
    request.kind.group = String::new();
    request
}

#[test]
fn config_maps_are_checked() {
    let sum = example::checksum("x: y");
    for (name, data, expect) in [
        ("config-gc", json!({}), ""),
        (
            "config-gc",
            json!({ "_example": "x: y", "unknown": "key" }),
            "",
        ),
        (
            "config-autoscaler",
            json!({ "stable-window": "1s" }),
            "validation failed: stable-window",
        ),
        (
            "config-autoscaler",
            json!({ "min-scale": "x" }),
            "validation failed: failed to parse \"min-scale\": ",
        ),
        (
            "config-deployment",
            json!({}),
            "validation failed: queue-sidecar-image cannot be empty or unset",
        ),
        (
            "config-network",
            json!({ "system-internal-tls-allow-serve-mode": "true" }),
            "",
        ),
        ("config-mine", json!({ "a": "b" }), ""),
        (
            "config-gc",
            json!({ "_example": "x: z" }),
            "validation failed: the update modifies a key in \"_example\" which is probably not what you want.",
        ),
    ] {
        let seen = reason(config_map::validate(&config(name, &data, &sum)));
        assert!(
            seen.starts_with(expect) && seen.is_empty() == expect.is_empty(),
            "{data}: {seen}"
        );
    }
}

#[test]
fn keys_that_mean_nothing_may_be_written_with_a_warning() {
    let sum = example::checksum("");
    let written = config(
        "config-gc",
        &json!({ "min-non-active-revision": "3" }),
        &sum,
    );
    let Verdict::Allowed { warnings, .. } = config_map::validate(&written) else {
        panic!("an unknown key is no reason to refuse a map");
    };
    let expect = "min-non-active-revision is not a known key and has no effect: \
                  min-non-active-revisions?";
    assert_eq!(warnings, [expect]);
}

#[test]
fn a_dry_run_tries_the_users_pod() {
    let pod = json!({ "containers": [
        { "name": "&InvalidValue", "image": "a/b", "livenessProbe": { "httpGet": { "port": 0 } } },
    ]});
    let mut asked = request("Service", Operation::Create, filled(&service(pod)));
    assert_eq!(dry_run::wanted(&asked), None);
    let valid = admission::validate(&asked, &Settings::default());
    assert!(
        matches!(valid, Verdict::Allowed { .. }),
        "the API server judges that name"
    );
    asked.dry_run = Some(true);
    let pod = serde_json::to_value(dry_run::wanted(&asked).unwrap()).unwrap();
    assert_eq!(pod["metadata"]["generateName"], "dry-run-validation");
    assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 1);
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["name"], "&InvalidValue");
    assert_eq!(container["ports"][0]["containerPort"], 8080);
    assert_eq!(container["livenessProbe"]["httpGet"]["port"], 8080);
    assert!(container.get("readinessProbe").is_none());
}

#[test]
fn a_dry_run_that_was_not_made_refuses_nobody() {
    for (code, message, refused) in [
        (422, "Pod is invalid", true),
        (403, "exceeded quota", true),
        (500, "failed calling webhook", true),
        (400, "admission webhook does not support dry run", false),
        (401, "Unauthorized", false),
        (429, "slow down", false),
        (503, "starting", false),
    ] {
        let status = kube::core::Status::failure(message, "").with_code(code);
        let fault = dry_run::fault(&kube::Error::Api(Box::new(status)));
        let text =
            format!("validation callback failed: dry run failed with {message}: spec.template");
        assert_eq!(fault, refused.then_some(text), "{code}");
    }
    let broken = kube::Error::TlsRequired;
    assert_eq!(dry_run::fault(&broken), None);
}

#[test]
fn configurations_of_services_are_not_tried_again() {
    let mut object = service(json!({ "containers": [{ "image": "a/b" }] }));
    let wanted = |object: &Value| {
        let mut request = request("Configuration", Operation::Create, object.clone());
        request.dry_run = Some(true);
        dry_run::wanted(&request).is_some()
    };
    assert!(wanted(&object));
    object["metadata"]["labels"] = json!({ "serving.knative.dev/service": "s" });
    assert!(!wanted(&object));
}
