//! Large objects are answered with little: what is written grows no faster than what is read. How
//! long that takes is in `make bench`.

use crds::config::Settings;
use serde_json::{Value, json};

use super::{reason, request, service};
use crate::webhook::admission;
use crate::webhook::review::{Answer, Operation, Request, Verdict};

/// A container with so many of everything that can be many.
type Shape = fn(usize) -> Value;

const SHAPES: [(&str, Shape); 6] = [
    ("good variables", |n| {
        pod(
            "env",
            |i| json!({ "name": format!("V{i}"), "value": "x" }),
            n,
        )
    }),
    ("nameless variables", |n| pod("env", |_| json!({}), n)),
    ("variables with a field too many", |n| {
        pod("env", |i| json!({ "name": format!("V{i}"), "x": 1 }), n)
    }),
    ("ports", |n| {
        pod("ports", |i| json!({ "containerPort": i }), n)
    }),
    ("mounts of nothing", |n| {
        pod(
            "volumeMounts",
            |i| json!({ "name": format!("v{i}"), "mountPath": "/a" }),
            n,
        )
    }),
    ("sources of nothing", |n| {
        pod("envFrom", |_| json!({ "secretRef": { "name": "" } }), n)
    }),
];

fn pod(field: &str, item: impl Fn(usize) -> Value, count: usize) -> Value {
    let mut container = json!({ "image": "a/b" });
    container[field] = (0..count).map(item).collect();
    service(json!({ "containers": [container] }))
}

fn answers(object: &Value) -> usize {
    let request = Request {
        old_object: Some(object.clone()),
        ..request("Service", Operation::Update, object.clone())
    };
    let settings = Settings::default();
    let verdicts = [
        admission::fill_in(&request, &settings),
        admission::validate(&request, &settings),
    ];
    let answers = verdicts.map(|verdict| Answer::new("admission.k8s.io/v1", "u-1", verdict));
    serde_json::to_vec(&answers).unwrap().len()
}

#[test]
fn an_answer_grows_no_faster_than_the_object() {
    for (name, shape) in SHAPES {
        let [few, many] = [100, 1000].map(|count| answers(&shape(count)));
        assert!(many < few * 13, "{name}: {few} bytes, then {many}");
    }
}

/// What is good about an object is repeated once, in base64; what is wrong is told in short.
#[test]
fn an_answer_is_not_much_longer_than_the_object() {
    for (name, shape) in SHAPES {
        let object = shape(10_000);
        let (read, written) = (object.to_string().len(), answers(&object));
        assert!(
            written < read * 8 + 40_000,
            "{name}: {written} bytes for {read}"
        );
    }
}

#[test]
fn a_patch_of_many_operations_is_the_same_as_a_whole_one() {
    for (name, shape) in SHAPES {
        let mut object = shape(1000);
        let request = request("Service", Operation::Create, object.clone());
        let verdict = admission::fill_in(&request, &Settings::default());
        let Verdict::Allowed { patch, .. } = verdict else {
            panic!("denied")
        };
        assert!(patch.len() <= 500, "{name}: {} operations", patch.len());
        json_patch::patch(&mut object, &patch).unwrap();
        let again = super::request("Service", Operation::Create, object);
        let settled = admission::fill_in(&again, &Settings::default());
        assert_eq!(settled, Verdict::allowed(), "{name}");
    }
}

/// A pod that can't be is refused before ten thousand of its parts take memory.
#[test]
fn a_crowd_is_refused_unread() {
    for field in ["containers", "initContainers", "volumes"] {
        let mut object = service(json!({ "containers": [] }));
        object["spec"]["template"]["spec"][field] = vec![json!({}); 1001].into();
        let request = request("Service", Operation::Create, object);
        for (prefix, verdict) in [
            (
                "mutation",
                admission::fill_in(&request, &Settings::default()),
            ),
            (
                "validation",
                admission::validate(&request, &Settings::default()),
            ),
        ] {
            let expected =
                format!("{prefix} failed: expected 0 <= 1001 <= 1000: spec.template.spec.{field}");
            assert_eq!(reason(verdict), expected);
        }
    }
}
