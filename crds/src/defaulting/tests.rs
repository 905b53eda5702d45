mod pod;

use serde_json::{Value, json};

use super::{
    DefaultingContext, default_configuration, default_domain_mapping, default_ingress,
    default_pod_autoscaler, default_revision, default_route, default_service,
};
use crate::config::{DefaultsConfig, FeaturesConfig, Settings};
use crate::revision::Revision;
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
            "template": { "metadata": {}, "spec": {
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
    assert_eq!(new.spec.template.spec.timeout_seconds, None);
    assert_eq!(new.spec.template.spec.pod.containers[0].name, "");
    new.spec.template.metadata.as_mut().unwrap().name = Some("s-2".to_owned());
    default_service(&mut new, Some(&old), &ctx);
    assert_eq!(new.spec.template.spec.timeout_seconds, Some(300));
}

#[test]
fn a_named_template_that_is_applied_again_is_what_it_became() {
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: None,
    };
    let applied =
        service("{template: {metadata: {name: s-1}, spec: {containers: [{image: a/b}]}}}");
    let mut old = applied.clone();
    default_service(&mut old, None, &ctx);
    // kubectl replaces the list that it knows and leaves the rest.
    let mut again = old.clone();
    let applied = applied.spec.template.spec.pod.containers;
    again.spec.template.spec.pod.containers = applied;
    default_service(&mut again, Some(&old), &ctx);
    assert_eq!(again, old);
    again.spec.template.spec.pod.containers[0].image = Some("a/c".to_owned());
    let changed = again.clone();
    default_service(&mut again, Some(&old), &ctx);
    assert_eq!(again, changed);
}

#[test]
fn a_revision_that_is_applied_again_is_what_it_became() {
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: None,
    };
    let spec = serde_yaml::from_str("{containers: [{image: a/b}]}").unwrap();
    let applied = Revision::new("r", spec);
    let mut old = applied.clone();
    default_revision(&mut old, None, &ctx);
    let mut again = old.clone();
    again.spec.pod.containers = applied.spec.pod.containers;
    default_revision(&mut again, Some(&old), &ctx);
    assert_eq!(again.spec, old.spec);
    again.spec.pod.containers[0].image = Some("a/c".to_owned());
    let changed = again.clone();
    default_revision(&mut again, Some(&old), &ctx);
    assert_eq!(again.spec, changed.spec);
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
    assert_eq!(revision.spec.timeout_seconds, None);
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
    for (class, metric) in [("kpa", "concurrency"), ("hpa", "cpu"), ("other", "")] {
        let mut autoscaler = object(&format!(
            "{{apiVersion: v, kind: PodAutoscaler, metadata: {{annotations: {{autoscaling.knative.dev/class: {class}.autoscaling.knative.dev}}}}, spec: {{scaleTargetRef: {{}}, protocolType: http1}}}}"
        ));
        default_pod_autoscaler(&mut autoscaler, &ctx);
        let annotations = autoscaler.metadata.annotations.unwrap();
        assert_eq!(annotations["autoscaling.knative.dev/metric"], metric);
    }
}

#[test]
fn what_says_nothing_is_dropped_and_changes_nothing() {
    let settings = Settings::default();
    let ctx = DefaultingContext {
        settings: &settings,
        user: Some("you"),
    };
    let mut old = service("{template: {spec: {containers: [{image: a/b, name: c}]}}}");
    default_service(&mut old, None, &ctx);
    let mut new = service(
        "{template: {metadata: {labels: {}}, spec: {enableServiceLinks: false, hostNetwork: false, tolerations: [], containers: [{image: a/b, name: c, args: [], env: [], resources: {limits: {}}}]}}, traffic: [{tag: '', percent: 100}]}",
    );
    let ctx = DefaultingContext {
        settings: &settings,
        user: Some("me"),
    };
    default_service(&mut new, Some(&old), &ctx);
    assert_eq!(new.spec, old.spec);
    assert_eq!(new.metadata.annotations, None);
}

#[test]
fn a_name_of_the_parent_does_not_reach_a_bare_revision() {
    let settings = settings("container-name-template: '{{.Name}}-x'");
    let ctx = DefaultingContext {
        settings: &settings,
        user: None,
    };
    let mut revision =
        object("{apiVersion: v, kind: Revision, metadata: {name: r}, spec: {containers: [{}]}}");
    default_revision(&mut revision, None, &ctx);
    assert_eq!(revision.spec.pod.containers[0].name, "-x");
}
