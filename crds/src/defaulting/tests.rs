use serde_json::{Value, json};

use super::{
    DefaultingContext, default_configuration, default_domain_mapping, default_ingress,
    default_pod_autoscaler, default_revision, default_route, default_service,
};
use crate::config::{DefaultsConfig, FeaturesConfig, Settings};
use crate::service::Service;

fn object<K: serde::de::DeserializeOwned>(yaml: &str) -> K {
    let value: Value = serde_yaml::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
    serde_json::from_value(value).unwrap_or_else(|e| panic!("{yaml}: {e}"))
}

fn service(spec: &str) -> Service {
    object(&format!(
        "{{apiVersion: v, kind: Service, metadata: {{name: s}}, spec: {spec}}}"
    ))
}

fn settings(pairs: &str) -> Settings {
    let data = serde_yaml::from_str(&format!("{{{pairs}}}")).unwrap();
    Settings {
        defaults: DefaultsConfig::parse(&data).unwrap(),
        features: FeaturesConfig::parse(&data).unwrap(),
        ..Settings::default()
    }
}

/// The pod after defaulting of a new Service.
fn pod(pairs: &str, pod: &str) -> Value {
    let mut service = service(&format!("{{template: {{spec: {pod}}}}}"));
    let settings = settings(pairs);
    default_service(
        &mut service,
        None,
        &DefaultingContext {
            settings: &settings,
            user: None,
        },
    );
    serde_json::to_value(&service.spec.template.spec).unwrap()
}

#[test]
fn the_smallest_service_becomes_whole() {
    let mut service = service("{template: {spec: {containers: [{image: a/b}]}}}");
    let settings = Settings::default();
    default_service(
        &mut service,
        None,
        &DefaultingContext {
            settings: &settings,
            user: Some("me"),
        },
    );
    let value = serde_json::to_value(&service).unwrap();
    assert_eq!(
        value["spec"],
        json!({
            "template": { "spec": {
                "containerConcurrency": 0,
                "containers": [{
                    "image": "a/b",
                    "name": "user-container",
                    "readinessProbe": { "successThreshold": 1, "tcpSocket": { "port": 0 } },
                    "resources": {},
                }],
                "enableServiceLinks": false,
                "timeoutSeconds": 300,
            }},
            "traffic": [{ "latestRevision": true, "percent": 100 }],
        })
    );
    assert_eq!(
        value["metadata"]["annotations"],
        json!({ "serving.knative.dev/creator": "me", "serving.knative.dev/lastModifier": "me" })
    );
}

#[test]
fn timeouts_follow_the_settings() {
    let times = |pairs: &str, spec: &str| {
        let pod = pod(pairs, &format!("{{containers: [{{image: a/b}}], {spec}}}"));
        [
            "timeoutSeconds",
            "responseStartTimeoutSeconds",
            "idleTimeoutSeconds",
        ]
        .map(|field| pod[field].as_i64())
    };
    let idle = "revision-idle-timeout-seconds: '20'";
    let start = "revision-response-start-timeout-seconds: '100'";
    for (pairs, spec, expect) in [
        ("", "", [Some(300), None, None]),
        ("", "timeoutSeconds: 0", [Some(300), None, None]),
        ("", "timeoutSeconds: 400", [Some(400), Some(300), None]),
        ("revision-timeout-seconds: '50'", "", [Some(50), None, None]),
        (idle, "", [Some(300), None, Some(20)]),
        (idle, "timeoutSeconds: 10", [Some(10), None, None]),
        (idle, "idleTimeoutSeconds: 5", [Some(300), None, Some(5)]),
        (start, "", [Some(300), Some(100), None]),
        (start, "timeoutSeconds: 100", [Some(100), None, None]),
        (
            start,
            "responseStartTimeoutSeconds: 7",
            [Some(300), Some(7), None],
        ),
    ] {
        assert_eq!(times(pairs, spec), expect, "{pairs} {spec}");
    }
}

#[test]
fn containers_get_names_that_are_free() {
    let names = |pairs: &str, containers: &str| -> Vec<String> {
        let pod = pod(pairs, &format!("{{{containers}}}"));
        let of = |list: &str| pod[list].as_array().cloned().unwrap_or_default();
        let all = of("containers").into_iter().chain(of("initContainers"));
        all.map(|container| container["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for (pairs, containers, expect) in [
        ("", "containers: [{}]", &["user-container"][..]),
        ("", "containers: [{name: x}]", &["x"]),
        (
            "",
            "containers: [{}, {}]",
            &["user-container-0", "user-container-1"],
        ),
        (
            "",
            "containers: [{}, {name: user-container-0}]",
            &["user-container-1", "user-container-0"],
        ),
        (
            "container-name-template: '{{.Name}}-c'",
            "containers: [{}]",
            &["s-c"],
        ),
        (
            "container-name-template: '{{.Nope}}'",
            "containers: [{}]",
            &["user-container"],
        ),
        (
            "",
            "containers: [{}], initContainers: [{}]",
            &["user-container", "init-container"],
        ),
        (
            "",
            "containers: [{name: init-container}], initContainers: [{}]",
            &["init-container", "init-container-0"],
        ),
    ] {
        assert_eq!(names(pairs, containers), expect, "{containers}");
    }
}

#[test]
fn resources_are_filled_in_one_by_one() {
    let pairs = "revision-cpu-request: 400m, revision-memory-limit: 200M";
    let filled = pod(
        pairs,
        "{containers: [{resources: {requests: {memory: 1M}}}, {resources: {requests: {cpu: 1}}}]}",
    );
    assert_eq!(
        filled["containers"][0]["resources"],
        json!({ "requests": { "cpu": "400m", "memory": "1M" }, "limits": { "memory": "200M" } })
    );
    assert_eq!(
        filled["containers"][1]["resources"]["requests"],
        json!({ "cpu": "1" })
    );
}

#[test]
fn probes_get_a_handler_and_thresholds() {
    let probe = |container: &str| {
        let pod = pod(
            "",
            &format!("{{containers: [{{ports: [{{}}], {container}}}, {{}}]}}"),
        );
        (
            pod["containers"][0]["readinessProbe"].clone(),
            pod["containers"][1].clone(),
        )
    };
    let (own, other) = probe("readinessProbe: {httpGet: {path: /x}, periodSeconds: 2}");
    assert_eq!(
        own,
        json!({ "httpGet": { "path": "/x", "port": 0 }, "periodSeconds": 2, "successThreshold": 1, "failureThreshold": 3, "timeoutSeconds": 1 })
    );
    assert!(other.get("readinessProbe").is_none());
    let (own, _) = probe("readinessProbe: {grpc: {port: 1}}, livenessProbe: {grpc: {}}");
    assert_eq!(
        own,
        json!({ "grpc": { "port": 1, "service": "" }, "successThreshold": 1 })
    );
}

#[test]
fn mounts_are_read_only_unless_they_can_be_written() {
    let pod = pod(
        "",
        "{containers: [{volumeMounts: [{name: s, mountPath: /s}, {name: e, mountPath: /e}]}], volumes: [{name: s, secret: {}}, {name: e, emptyDir: {}}]}",
    );
    let mounts = &pod["containers"][0]["volumeMounts"];
    assert_eq!(
        (&mounts[0]["readOnly"], &mounts[1]["readOnly"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn secure_defaults_close_what_is_open() {
    let context = |mode: &str, pod_fields: &str| {
        let pairs = format!("secure-pod-defaults: {mode}");
        pod(&pairs, &format!("{{{pod_fields}}}"))["containers"][0]["securityContext"].clone()
    };
    let closed = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    assert_eq!(context("Enabled", "containers: [{}]"), closed);
    let mut bounded = closed;
    bounded.as_object_mut().unwrap().remove("runAsNonRoot");
    assert_eq!(context("AllowRootBounded", "containers: [{}]"), bounded);
    assert_eq!(context("Disabled", "containers: [{}]"), Value::Null);
    let low = context(
        "AllowRootBounded",
        "containers: [{ports: [{containerPort: 80}]}]",
    );
    assert_eq!(
        low["capabilities"],
        json!({ "add": ["NET_BIND_SERVICE"], "drop": ["ALL"] })
    );
    let of_pod = "securityContext: {runAsNonRoot: false, seccompProfile: {type: Unconfined}}";
    let open = context("Enabled", &format!("containers: [{{}}], {of_pod}"));
    assert!(open.get("seccompProfile").is_none() && open.get("runAsNonRoot").is_none());
}

#[test]
fn service_links_are_chosen_at_creation_only() {
    let old = service("{template: {spec: {containers: [{image: a/b}]}}}");
    let mut new = old.clone();
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: Some("you"),
    };
    default_service(&mut new, Some(&old), &ctx);
    assert_eq!(new.spec.template.spec.pod.enable_service_links, None);
    assert_eq!(new.metadata.annotations.unwrap_or_default().len(), 0);
    assert_eq!(
        pod("enable-service-links: default", "{containers: [{}]}").get("enableServiceLinks"),
        None
    );
}

#[test]
fn a_template_that_keeps_its_name_is_not_touched() {
    let template = "{template: {metadata: {name: s-1}, spec: {containers: [{image: a/b}]}}}";
    let (old, mut new) = (service(template), service(template));
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: None,
    };
    default_service(&mut new, Some(&old), &ctx);
    assert_eq!(new.spec.template, old.spec.template);
    new.spec.template.metadata.as_mut().unwrap().name = Some("s-2".to_owned());
    default_service(&mut new, Some(&old), &ctx);
    assert_eq!(new.spec.template.spec.timeout_seconds, Some(300));
}

#[test]
fn changes_of_the_spec_are_signed() {
    let settings = Settings::default();
    let as_user = |user: &'static str| DefaultingContext {
        settings: &settings,
        user: Some(user),
    };
    let mut old = service("{template: {spec: {containers: [{image: a/b}]}}}");
    default_service(&mut old, None, &as_user("me"));
    let mut new = old.clone();
    default_service(&mut new, Some(&old), &as_user("you"));
    assert_eq!(new, old);
    new.spec.template.spec.timeout_seconds = Some(5);
    default_service(&mut new, Some(&old), &as_user("you"));
    let annotations = new.metadata.annotations.unwrap();
    assert_eq!(annotations["serving.knative.dev/creator"], "me");
    assert_eq!(annotations["serving.knative.dev/lastModifier"], "you");
}

#[test]
fn owned_objects_are_not_signed() {
    let owner = "ownerReferences: [{apiVersion: v, kind: Service, name: s, uid: u}]";
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: Some("me"),
    };
    for (metadata, signed) in [(owner, false), ("namespace: x", true)] {
        let mut route = object(&format!(
            "{{apiVersion: v, kind: Route, metadata: {{name: r, {metadata}}}, spec: {{traffic: [{{revisionName: x}}]}}}}"
        ));
        default_route(&mut route, None, &ctx);
        assert_eq!(route.metadata.annotations.is_some(), signed);
        assert_eq!(route.spec.traffic[0].latest_revision, Some(false));
        assert_eq!(route.spec.traffic[0].percent, Some(0));
        let mut configuration = object(&format!(
            "{{apiVersion: v, kind: Configuration, metadata: {{name: c, {metadata}}}, spec: {{template: {{spec: {{containers: [{{}}]}}}}}}}}"
        ));
        default_configuration(&mut configuration, None, &ctx);
        assert_eq!(configuration.metadata.annotations.is_some(), signed);
    }
}

#[test]
fn a_revision_is_filled_in_once() {
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: None,
    };
    let new: crate::revision::Revision =
        object("{apiVersion: v, kind: Revision, metadata: {name: r}, spec: {containers: [{}]}}");
    let mut revision = new.clone();
    default_revision(&mut revision, Some(&new), &ctx);
    assert_eq!(revision, new);
    default_revision(&mut revision, None, &ctx);
    assert_eq!(revision.spec.timeout_seconds, Some(300));
}

#[test]
fn other_kinds_are_filled_in() {
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: Some("me"),
    };
    let mut mapping = object(
        "{apiVersion: v, kind: DomainMapping, metadata: {name: a.b, namespace: ns}, spec: {ref: {name: s, kind: K}}}",
    );
    default_domain_mapping(&mut mapping, None, &ctx);
    assert_eq!(mapping.spec.reference.namespace.as_deref(), Some("ns"));
    let mut ingress = object(
        "{apiVersion: v, kind: Ingress, metadata: {}, spec: {rules: [{http: {paths: [{splits: [{serviceName: s, serviceNamespace: n, servicePort: 80}]}]}}]}}",
    );
    default_ingress(&mut ingress);
    assert_eq!(
        ingress.spec.rules[0].http.as_ref().unwrap().paths[0].splits[0].percent,
        100
    );
    for (class, metric) in [("kpa", "concurrency"), ("hpa", "cpu")] {
        let mut autoscaler = object(&format!(
            "{{apiVersion: v, kind: PodAutoscaler, metadata: {{annotations: {{autoscaling.knative.dev/class: {class}.autoscaling.knative.dev}}}}, spec: {{scaleTargetRef: {{}}, protocolType: http1}}}}"
        ));
        default_pod_autoscaler(&mut autoscaler, &ctx);
        let annotations = autoscaler.metadata.annotations.unwrap();
        assert_eq!(annotations["autoscaling.knative.dev/metric"], metric);
    }
}
