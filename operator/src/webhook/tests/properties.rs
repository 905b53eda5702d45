//! Whatever comes, there is an answer: the release build ends the process at a panic.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Map, Value, json};

use super::router::{PATHS, post, review, router};

const KINDS: [(&str, &str); 12] = [
    ("serving.knative.dev", "Service"),
    ("serving.knative.dev", "Configuration"),
    ("serving.knative.dev", "Revision"),
    ("serving.knative.dev", "Route"),
    ("serving.knative.dev", "DomainMapping"),
    ("autoscaling.internal.knative.dev", "PodAutoscaler"),
    ("autoscaling.internal.knative.dev", "Metric"),
    ("networking.internal.knative.dev", "Ingress"),
    ("networking.internal.knative.dev", "ServerlessService"),
    ("networking.internal.knative.dev", "Certificate"),
    ("", "ConfigMap"),
    ("", "Pod"),
];

/// Names that mean something, so that arbitrary objects get past the first look.
const KEYS: [&str; 40] = [
    "metadata",
    "name",
    "namespace",
    "annotations",
    "labels",
    "ownerReferences",
    "spec",
    "template",
    "containers",
    "image",
    "env",
    "value",
    "valueFrom",
    "ports",
    "containerPort",
    "volumes",
    "volumeMounts",
    "mountPath",
    "readinessProbe",
    "httpGet",
    "resources",
    "limits",
    "cpu",
    "securityContext",
    "traffic",
    "percent",
    "tag",
    "revisionName",
    "timeoutSeconds",
    "containerConcurrency",
    "rules",
    "hosts",
    "http",
    "paths",
    "splits",
    "scaleTargetRef",
    "ref",
    "data",
    "_example",
    "queue-sidecar-image",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[a-z0-9./:@-]{0,20}".prop_map(Value::from),
        "-?[0-9]{1,4}(m|s|Mi|%|\\.[0-9]+)?".prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&KEYS[..]).prop_map(str::to_owned),
        1 => ".{0,8}",
        1 => "(autoscaling|serving|networking)\\.knative\\.dev/[a-z-]{1,20}",
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Where something arbitrary is put.
const PLACES: [&str; 11] = [
    "/metadata",
    "/metadata/annotations",
    "/spec",
    "/spec/template",
    "/spec/template/metadata",
    "/spec/template/spec",
    "/spec/template/spec/containers",
    "/spec/template/spec/containers/0",
    "/spec/template/spec/containers/0/env",
    "/spec/template/spec/volumes",
    "/spec/traffic",
];

/// A Service that is whole but for one place.
fn nearly_a_service() -> impl Strategy<Value = Value> {
    (prop::sample::select(&PLACES[..]), anything()).prop_map(|(place, value)| {
        let mut object = json!({
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": { "name": "s", "annotations": {} },
            "spec": {
                "template": {
                    "metadata": {},
                    "spec": { "containers": [{ "image": "a/b", "env": [] }], "volumes": [] },
                },
                "traffic": [],
            },
        });
        if let Some(found) = object.pointer_mut(place) {
            *found = value;
        }
        object
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop_oneof![anything(), nearly_a_service()]
}

fn ask(path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (status, body) = post(&router(), path, Some("application/json"), body).await;
        (status.as_u16(), body)
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_answered(
        path in prop::sample::select(&PATHS[..]),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (status, _) = ask(path, body);
        prop_assert_eq!(status, 400);
    }

    #[test]
    fn arbitrary_json_is_answered(path in prop::sample::select(&PATHS[..]), body in anything()) {
        let (status, _) = ask(path, body.to_string().into_bytes());
        prop_assert!([200, 400].contains(&status));
    }

    #[test]
    fn arbitrary_objects_are_answered(
        path in prop::sample::select(&PATHS[..]),
        (group, kind) in prop::sample::select(&KINDS[..]),
        operation in prop::sample::select(&["CREATE", "UPDATE", "DELETE", "CONNECT"][..]),
        sub_resource in prop::sample::select(&["", "status", "scale"][..]),
        object in object(),
        old in prop::option::of(object()),
        dry_run in any::<bool>(),
    ) {
        let kind = json!({ "group": group, "version": "v1", "kind": kind });
        let mut request = Map::new();
        request.insert("operation".to_owned(), json!(operation));
        request.insert("subResource".to_owned(), json!(sub_resource));
        request.insert("object".to_owned(), object.clone());
        request.insert("oldObject".to_owned(), json!(old));
        request.insert("dryRun".to_owned(), json!(dry_run));
        let review = review(&kind, &Value::Object(request));
        let (status, body) = ask(path, review.to_string().into_bytes());
        prop_assert_eq!(status, 200);
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let response = &answer["response"];
        prop_assert_eq!(&response["uid"], "u-1");
        match response["allowed"].as_bool() {
            Some(true) => {
                if let Some(patch) = response["patch"].as_str() {
                    let patch: Patch = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
                    let mut object = object;
                    prop_assert!(json_patch::patch(&mut object, &patch).is_ok());
                }
            }
            Some(false) => prop_assert_eq!(&response["status"]["code"], 400),
            None => prop_assert!(false, "no verdict: {}", answer),
        }
    }
}
