use proptest::prelude::{Just, Strategy, TestCaseError, any, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::{
    FieldErrors, ValidationContext, validate_certificate, validate_configuration,
    validate_domain_mapping, validate_ingress, validate_metric, validate_pod_autoscaler,
    validate_revision, validate_route, validate_serverless_service, validate_service,
};
use super::settings;
use crate::autoscaling::{Metric, PodAutoscaler};
use crate::certificate::Certificate;
use crate::configuration::Configuration;
use crate::defaulting::{
    DefaultingContext, default_configuration, default_domain_mapping, default_ingress,
    default_pod_autoscaler, default_revision, default_route, default_service,
};
use crate::domain_mapping::DomainMapping;
use crate::networking::{Ingress, ServerlessService};
use crate::revision::Revision;
use crate::route::Route;
use crate::service::Service;

/// Words of the API among others, so that random objects reach the rules.
const WORDS: &[&str] = &[
    "annotations",
    "autoscaling.knative.dev/target",
    "autoscaling.knative.dev/window",
    "configMap",
    "containerConcurrency",
    "containerPort",
    "containers",
    "cpu",
    "emptyDir",
    "env",
    "envFrom",
    "generateName",
    "grpc",
    "http",
    "httpGet",
    "image",
    "initContainers",
    "items",
    "key",
    "kind",
    "labels",
    "limits",
    "metadata",
    "mountPath",
    "name",
    "objectRef",
    "path",
    "paths",
    "percent",
    "periodSeconds",
    "port",
    "ports",
    "projected",
    "protocolType",
    "readinessProbe",
    "ref",
    "resources",
    "revisionName",
    "rules",
    "runAsUser",
    "s-1",
    "scaleTargetRef",
    "secret",
    "secretRef",
    "securityContext",
    "sources",
    "spec",
    "splits",
    "tag",
    "template",
    "timeoutSeconds",
    "traffic",
    "valueFrom",
    "volumeMounts",
    "volumes",
];

/// Every feature off, as shipped, and every one on that changes which rules hold.
const SETTINGS: [&str; 3] = [
    "multi-container: Disabled, kubernetes.podspec-volumes-emptydir: Disabled",
    "",
    "multi-container-probing: Enabled, kubernetes.podspec-init-containers: Enabled, kubernetes.podspec-securitycontext: Enabled, kubernetes.podspec-volumes-image: Enabled, kubernetes.podspec-fieldref: Enabled, secure-pod-defaults: Enabled, revision-cpu-request: 0.5",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..120).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[-+]?[0-9.]{0,4}(Ki|Gi|m|e3|s|ms|h)?".prop_map(Value::from),
        proptest::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 96, 6, |inner| {
        let key = prop_oneof![
            9 => proptest::sample::select(WORDS).prop_map(str::to_owned),
            1 => "\\PC{0,8}".prop_map(String::from),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A kind as the webhook sees it.
trait Kind: Clone + std::fmt::Debug + DeserializeOwned + PartialEq + Serialize {
    fn fill_in(&mut self, old: Option<&Self>, ctx: &DefaultingContext<'_>);
    fn faults(&self, old: Option<&Self>, ctx: &ValidationContext<'_>) -> FieldErrors;
}

macro_rules! kinds {
    ($($kind:ident: $fill_in:expr, $faults:expr;)*) => {
        $(impl Kind for $kind {
            fn fill_in(&mut self, old: Option<&Self>, ctx: &DefaultingContext<'_>) {
                let fill_in: fn(&mut Self, Option<&Self>, &DefaultingContext<'_>) = $fill_in;
                fill_in(self, old, ctx);
            }

            fn faults(&self, old: Option<&Self>, ctx: &ValidationContext<'_>) -> FieldErrors {
                let faults: fn(&Self, Option<&Self>, &ValidationContext<'_>) -> FieldErrors =
                    $faults;
                faults(self, old, ctx)
            }
        })*

        /// Admits the value as each kind that it can be.
        fn admit_all(new: &Value, old: &Value) -> Result<(), TestCaseError> {
            $(admit::<$kind>(new, old)?;)*
            Ok(())
        }
    };
}

kinds! {
    Service: default_service, validate_service;
    Configuration: default_configuration, validate_configuration;
    Revision: default_revision, validate_revision;
    Route: default_route, validate_route;
    DomainMapping: default_domain_mapping, validate_domain_mapping;
    PodAutoscaler: |o, _, ctx| default_pod_autoscaler(o, ctx), |o, _, ctx| validate_pod_autoscaler(o, ctx);
    Metric: |_, _, _| {}, |o, _, ctx| validate_metric(o, ctx);
    Ingress: |o, _, _| default_ingress(o), |o, _, _| validate_ingress(o);
    ServerlessService: |_, _, _| {}, |o, _, _| validate_serverless_service(o);
    Certificate: |_, _, _| {}, |o, _, _| validate_certificate(o);
}

/// What holds for every object: admission ends, what it fills in stays as it is, and the verdict
/// does not depend on how often it is asked or how the object is spelled.
fn admit<K: Kind>(new: &Value, old: &Value) -> Result<(), TestCaseError> {
    let Ok(object) = serde_json::from_value::<K>(new.clone()) else {
        return Ok(());
    };
    let old: Option<K> = serde_json::from_value(old.clone()).ok();
    for pairs in SETTINGS {
        let settings = &settings(pairs);
        let user = Some("me");
        let defaulting = DefaultingContext { settings, user };
        let ctx = ValidationContext {
            settings,
            status_only: false,
        };
        let mut created = object.clone();
        created.fill_in(None, &defaulting);
        let mut again = created.clone();
        again.fill_in(None, &defaulting);
        prop_assert_eq!(&again, &created, "filling in twice changes nothing");
        again.fill_in(Some(&created), &defaulting);
        prop_assert_eq!(&again, &created, "nor does an update with the same");
        let written =
            serde_json::to_value(&created).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let read: K =
            serde_json::from_value(written).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let verdict = created.faults(None, &ctx).to_string();
        prop_assert_eq!(read.faults(None, &ctx).to_string(), verdict);
        let unchanged = created.faults(Some(&created), &ctx).to_string();
        prop_assert!(!unchanged.contains("(-old +new)"), "{}", unchanged);
        object.faults(old.as_ref(), &ctx).warnings();
        if let Some(old) = &old {
            let mut updated = object.clone();
            updated.fill_in(Some(old), &defaulting);
            let once = updated.clone();
            updated.fill_in(Some(old), &defaulting);
            prop_assert_eq!(
                &updated,
                &once,
                "filling in an update twice changes nothing"
            );
            drop(updated.faults(Some(old), &ctx).errors().to_string());
        }
    }
    Ok(())
}

fn with_spec(spec: &Value, metadata: &Value) -> Value {
    json!({ "apiVersion": "v", "kind": "K", "metadata": metadata, "spec": spec })
}

/// A spec of which the container is random, so that decoding mostly succeeds.
fn spec_of(container: &Value, traffic: &Value, annotations: &Value) -> Value {
    let pod = json!({ "containers": [container] });
    json!({
        "template": {
            "metadata": { "annotations": annotations, "name": "s-1" },
            "spec": pod,
        },
        "traffic": [traffic],
        "containers": pod["containers"],
    })
}

proptest! {
    #[test]
    fn any_spec_is_admitted_or_refused_for_good(spec in value(), other in value()) {
        let name = json!({ "name": "s" });
        admit_all(&with_spec(&spec, &name), &with_spec(&other, &name))?;
    }

    #[test]
    fn any_metadata_is_admitted_or_refused_for_good(metadata in value(), other in value()) {
        admit_all(&with_spec(&json!({}), &metadata), &with_spec(&json!({}), &other))?;
    }

    #[test]
    fn any_container_is_admitted_or_refused_for_good(a in value(), b in value(), c in value()) {
        let name = json!({ "name": "s" });
        let old = with_spec(&spec_of(&b, &json!({ "percent": 100 }), &json!({})), &name);
        admit_all(&with_spec(&spec_of(&a, &b, &c), &name), &old)?;
        admit_all(&with_spec(&spec_of(&a, &json!({}), &json!({})), &name), &old)?;
    }
}
