use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use super::super::{validate_configuration, validate_revision, validate_route, validate_service};
use super::{FieldErrors, with};
use crate::config::Settings;
use crate::defaulting::{
    DefaultingContext, default_configuration, default_revision, default_route, default_service,
};
use crate::service::Service;

/// Words of the API among others, so that random objects reach the rules.
const WORDS: [&str; 34] = [
    "metadata",
    "name",
    "annotations",
    "labels",
    "spec",
    "template",
    "traffic",
    "containers",
    "image",
    "ports",
    "containerPort",
    "env",
    "valueFrom",
    "volumes",
    "volumeMounts",
    "mountPath",
    "readinessProbe",
    "httpGet",
    "port",
    "periodSeconds",
    "securityContext",
    "runAsUser",
    "resources",
    "limits",
    "percent",
    "tag",
    "revisionName",
    "latestRevision",
    "timeoutSeconds",
    "containerConcurrency",
    "autoscaling.knative.dev/target",
    "initContainers",
    "emptyDir",
    "x",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..120).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        proptest::sample::select(&WORDS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 96, 6, |inner| {
        let key = prop_oneof![
            9 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
            1 => "\\PC{0,8}".prop_map(String::from),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An object whose pod is random, so that decoding mostly succeeds.
fn service_of(container: &Value, traffic: &Value, annotations: &Value) -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": { "name": "s" },
        "spec": {
            "template": {
                "metadata": { "annotations": annotations },
                "spec": { "containers": [container] },
            },
            "traffic": [traffic],
        },
    })
}

fn run_all(raw: &Value) {
    let settings = Settings::default();
    let defaulting = DefaultingContext {
        settings: &settings,
        user: Some("me"),
    };
    let mut verdicts: Vec<FieldErrors> = Vec::new();
    macro_rules! run {
        ($default:ident, $validate:ident) => {
            if let Ok(mut object) = serde_json::from_value(raw.clone()) {
                $default(&mut object, None, &defaulting);
                verdicts.push(with("", |ctx| $validate(&object, None, ctx)));
            }
        };
    }
    run!(default_service, validate_service);
    run!(default_configuration, validate_configuration);
    run!(default_revision, validate_revision);
    run!(default_route, validate_route);
    verdicts.iter().for_each(|errors| drop(errors.to_string()));
}

proptest! {
    #[test]
    fn no_value_makes_admission_panic(spec in value(), metadata in value()) {
        run_all(&json!({ "apiVersion": "v", "kind": "K", "metadata": {}, "spec": spec }));
        run_all(&json!({ "apiVersion": "v", "kind": "K", "metadata": metadata, "spec": {} }));
    }

    #[test]
    fn no_container_makes_admission_panic(a in value(), b in value(), c in value()) {
        run_all(&service_of(&a, &b, &c));
        run_all(&service_of(&a, &json!({ "percent": 100 }), &json!({})));
    }

    #[test]
    fn defaulting_twice_changes_nothing(container in value(), traffic in value()) {
        let raw = service_of(&container, &traffic, &json!({}));
        if let Ok(service) = serde_json::from_value::<Service>(raw) {
            let settings = Settings::default();
            let ctx = DefaultingContext { settings: &settings, user: Some("me") };
            let mut once = service;
            default_service(&mut once, None, &ctx);
            let mut twice = once.clone();
            default_service(&mut twice, Some(&once), &ctx);
            prop_assert_eq!(once, twice);
        }
    }
}
