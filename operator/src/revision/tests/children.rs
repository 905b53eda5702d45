//! What is applied: golden files, and how an existing Deployment is changed.

use super::{by_tag, revision};
use crate::announcement::Herald;
use crate::golden;
use crate::revision::desired::{Children, Inputs, desired};
use crate::revision::update::patch;
use crds::autoscaling::Reachability;
use crds::config::Settings;
use crds::revision::Revision;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use net::announcement::MasterKey;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One golden case: a Revision, and config maps by name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    #[serde(default)]
    config: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    reachability: Reachability,
    revision: Revision,
}

fn settings(config: &BTreeMap<String, BTreeMap<String, String>>) -> Settings {
    let mut settings = Settings::default();
    settings.deployment.queue_sidecar_image = "registry.example.com/queue-proxy:v1".to_owned();
    for (name, data) in config {
        settings.update(name, data).unwrap();
    }
    settings
}

fn herald() -> Herald {
    let master = MasterKey::new(b"a master key of enough bytes").unwrap();
    Herald::new(master, "knative-serving", "cluster.local")
}

fn render(revision: &Revision, settings: &Settings, reachability: Reachability) -> Children {
    desired(&Inputs {
        revision,
        settings,
        digests: &by_tag(revision),
        system_namespace: "knative-serving",
        herald: &herald(),
        reachability,
        autoscaler: None,
    })
}

#[test]
fn children_are_as_reviewed() {
    golden::check("revision/tests/golden", |case: Case| {
        let children = render(&case.revision, &settings(&case.config), case.reachability);
        let first = [
            golden::document(&children.deployment),
            golden::document(&children.autoscaler),
        ];
        first
            .into_iter()
            .chain(children.images.iter().map(golden::document))
            .collect()
    });
}

fn with(change: impl FnOnce(&mut Revision)) -> Deployment {
    let mut revision = revision();
    change(&mut revision);
    render(
        &revision,
        &settings(&BTreeMap::new()),
        Reachability::Unknown,
    )
    .deployment
}

fn annotate(key: &str, value: &str) -> Deployment {
    with(|revision| {
        drop(
            revision
                .annotations_mut()
                .insert(key.to_owned(), value.to_owned()),
        )
    })
}

#[test]
fn routing_and_scaling_do_not_touch_the_pods() {
    let plain = with(|_| ());
    let routing = "serving.knative.dev/routingState".to_owned();
    let moved = with(|r| drop(r.labels_mut().insert(routing, "reserve".to_owned())));
    assert_eq!(patch(&plain, &moved), None);
    for (key, value) in [
        ("serving.knative.dev/routes", "a,b"),
        (
            "serving.knative.dev/routingStateModified",
            "2026-01-01T00:00:00Z",
        ),
        ("autoscaling.knative.dev/min-scale", "3"),
        ("autoscaling.knative.dev/initial-scale", "3"),
        ("fermata.dev/applied", "1234"),
    ] {
        assert_eq!(patch(&plain, &annotate(key, value)), None, "{key}");
    }
    assert_ne!(patch(&plain, &annotate("mine", "1")), None);
}

#[test]
fn an_update_keeps_what_is_others_and_never_names_replicas() {
    let wanted = annotate("mine", "new");
    let mut current = with(|_| ());
    current.metadata.resource_version = Some("77".to_owned());
    current.spec.as_mut().unwrap().replicas = Some(9);
    let key = "kubectl.kubernetes.io/restartedAt".to_owned();
    let template = current
        .spec
        .as_mut()
        .unwrap()
        .template
        .metadata
        .as_mut()
        .unwrap();
    template
        .annotations
        .as_mut()
        .unwrap()
        .insert(key.clone(), "now".to_owned());
    for (key, value) in [
        ("team", "a"),
        ("app", "theirs"),
        ("serving.knative.dev/old", "1"),
    ] {
        current
            .labels_mut()
            .insert(key.to_owned(), value.to_owned());
    }

    let operations = patch(&current, &wanted).unwrap();
    let operations: json_patch::Patch = serde_json::from_value(operations).unwrap();
    assert!(operations.iter().all(|operation| {
        let path = operation.path().to_string();
        path != "/spec"
            && !path.starts_with("/spec/replicas")
            && !path.starts_with("/spec/selector")
    }));
    let mut changed: Value = serde_json::to_value(&current).unwrap();
    json_patch::patch(&mut changed, &operations).unwrap();
    let changed: Deployment = serde_json::from_value(changed).unwrap();
    let spec = changed.spec.clone().unwrap();
    let annotations = spec.template.metadata.unwrap().annotations.unwrap();
    assert_eq!(spec.replicas, Some(9));
    assert_eq!(annotations.get(&key).map(String::as_str), Some("now"));
    assert_eq!(annotations.get("mine").map(String::as_str), Some("new"));
    let label = |key: &str| changed.labels().get(key).map(String::as_str);
    assert_eq!(label("team"), Some("a"));
    assert_eq!(label("app"), Some("hello-00001"));
    assert_eq!(label("serving.knative.dev/old"), None);
    assert_eq!(patch(&changed, &wanted), None);
}

#[test]
fn an_update_of_an_object_that_has_changed_does_nothing() {
    let mut current = with(|_| ());
    current.metadata.resource_version = Some("77".to_owned());
    let operations = patch(&current, &annotate("mine", "1")).unwrap();
    assert_eq!(
        operations[0],
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": "77"})
    );
}

#[test]
fn who_scales_is_chosen_once() {
    let revision = revision();
    let mut settings = settings(&BTreeMap::new());
    let first = render(&revision, &settings, Reachability::Unknown).autoscaler;
    let class = "autoscaling.knative.dev/class";
    assert_eq!(first.annotations()[class], "kpa.autoscaling.knative.dev");
    settings.autoscaler.pod_autoscaler_class = "hpa.autoscaling.knative.dev".to_owned();
    let again = desired(&Inputs {
        revision: &revision,
        settings: &settings,
        digests: &by_tag(&revision),
        system_namespace: "knative-serving",
        herald: &herald(),
        reachability: Reachability::Unknown,
        autoscaler: Some(&first),
    });
    assert_eq!(again.autoscaler, first);
}

#[test]
fn annotations_that_are_removed_from_a_revision_leave_its_autoscaler() {
    let key = "autoscaling.knative.dev/min-scale";
    let mut revision = revision();
    revision
        .annotations_mut()
        .insert(key.to_owned(), "3".to_owned());
    let settings = settings(&BTreeMap::new());
    let scaled = render(&revision, &settings, Reachability::Reachable).autoscaler;
    assert_eq!(scaled.annotations()[key], "3");
    revision.annotations_mut().remove(key);
    let plain = render(&revision, &settings, Reachability::Reachable).autoscaler;
    assert!(!plain.annotations().contains_key(key));
}
