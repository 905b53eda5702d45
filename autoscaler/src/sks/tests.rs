use crds::autoscaling::{PodAutoscaler, PodAutoscalerSpec, ScaleTarget};
use crds::config::Settings;
use crds::networking::SksMode;
use serde_json::json;

use super::{Path, activators, mode, wanted, wanted_metric};
use crate::decide::Burst;
use crate::rules::Rules;
use crate::target::Target;

fn autoscaler() -> PodAutoscaler {
    let target = ScaleTarget {
        api_version: Some("apps/v1".to_owned()),
        kind: Some("Deployment".to_owned()),
        name: Some("hello-deployment".to_owned()),
    };
    let spec = PodAutoscalerSpec {
        scale_target_ref: target,
        protocol_type: "http1".to_owned(),
        ..PodAutoscalerSpec::default()
    };
    let mut autoscaler = PodAutoscaler::new("hello", spec);
    autoscaler.metadata.namespace = Some("ns".to_owned());
    autoscaler.metadata.uid = Some("uid-1".to_owned());
    autoscaler.metadata.labels = Some([("app".to_owned(), "hello".to_owned())].into());
    let annotations = [
        ("autoscaling.knative.dev/metric", "rps"),
        ("autoscaling.knative.dev/window", "30s"),
        ("fermata.dev/applied", "0123"),
    ];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
    autoscaler.metadata.annotations = Some(annotations.into());
    autoscaler
}

#[test]
fn pods_serve_only_with_pods_wanted_and_room_for_a_burst() {
    let table = [
        (Some(0), 0, SksMode::Proxy),
        (Some(0), 50, SksMode::Proxy),
        (Some(1), -1, SksMode::Proxy),
        (Some(1), 0, SksMode::Serve),
        (None, 9, SksMode::Proxy),
    ];
    for (wanted, excess, expected) in table {
        assert_eq!(
            mode(wanted, excess),
            expected,
            "{wanted:?} wanted, {excess} spare"
        );
    }
}

#[test]
fn activators_hold_what_pods_carry_and_a_burst() {
    let mut rules = Rules::read(&PodAutoscaler::default(), &Settings::default());
    rules.spec.target = Target {
        total: 100.0,
        per_pod: 70.0,
    };
    let table = [
        (Burst::None, 50, 2),
        (Burst::Capacity(211.0), 0, 3),
        (Burst::Capacity(211.0), 10, 13),
        (Burst::Capacity(7.0), 0, 2),
        (Burst::Unlimited, 5, 5),
        (Burst::Unlimited, 1, 2),
    ];
    for (burst, ready, expected) in table {
        rules.spec.burst = burst;
        assert_eq!(
            activators(&rules, ready),
            expected,
            "{burst:?}, {ready} ready"
        );
    }
}

#[test]
fn children_have_the_metadata_of_their_parent_but_no_foreign_marks() {
    let autoscaler = autoscaler();
    let sks = serde_json::to_value(wanted(&autoscaler, SksMode::Proxy, 2)).unwrap();
    assert_eq!(
        sks,
        json!({
            "apiVersion": "networking.internal.knative.dev/v1alpha1",
            "kind": "ServerlessService",
            "metadata": {
                "name": "hello",
                "namespace": "ns",
                "labels": { "app": "hello" },
                "annotations": { "autoscaling.knative.dev/window": "30s" },
                "ownerReferences": [{
                    "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
                    "kind": "PodAutoscaler",
                    "name": "hello",
                    "uid": "uid-1",
                    "controller": true,
                    "blockOwnerDeletion": true
                }]
            },
            "spec": {
                "mode": "Proxy",
                "objectRef": {
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-deployment"
                },
                "protocolType": "http1",
                "numActivators": 2
            }
        })
    );
    let rules = Rules::read(&autoscaler, &Settings::default());
    let metric = wanted_metric(&autoscaler, &rules, "hello-private");
    let annotations = metric.metadata.annotations.unwrap();
    assert!(annotations.contains_key("autoscaling.knative.dev/metric"));
    assert_eq!(metric.spec.stable_window, 30_000_000_000);
    assert_eq!(metric.spec.panic_window, 3_000_000_000);
    assert_eq!(metric.spec.scrape_target, "hello-private");
}

#[test]
fn revisions_with_unlimited_burst_are_not_scraped() {
    let mut autoscaler = autoscaler();
    let key = "autoscaling.knative.dev/target-burst-capacity".to_owned();
    autoscaler
        .metadata
        .annotations
        .as_mut()
        .unwrap()
        .insert(key, "-1".to_owned());
    let rules = Rules::read(&autoscaler, &Settings::default());
    assert_eq!(
        wanted_metric(&autoscaler, &rules, "hello-private")
            .spec
            .scrape_target,
        ""
    );
}

#[test]
fn the_way_is_read_from_the_status() {
    let autoscaler = autoscaler();
    assert_eq!(Path::of(None, &autoscaler), Path::Unbuilt);
    let mut sks = wanted(&autoscaler, SksMode::Proxy, 2);
    assert_eq!(Path::of(Some(&sks), &autoscaler), Path::Unbuilt);
    sks.metadata.generation = Some(2);
    let status = json!({
        "observedGeneration": 2,
        "serviceName": "hello",
        "privateServiceName": "hello-private",
        "conditions": [
            { "type": "ActivatorEndpointsPopulated", "status": "True",
              "lastTransitionTime": "1970-01-01T00:01:00Z" },
            { "type": "Ready", "status": "Unknown", "message": "No pods" }
        ]
    });
    sks.status = Some(serde_json::from_value(status).unwrap());
    let path = Path::of(Some(&sks), &autoscaler);
    assert_eq!(path.services(), ("hello", "hello-private"));
    assert_eq!(path.proxied_since().unwrap().as_second(), 60);
    assert!(matches!(&path, Path::Built { ready: false, message, .. } if message == "No pods"));
    sks.metadata.owner_references = None;
    assert_eq!(
        Path::of(Some(&sks), &autoscaler),
        Path::Foreign("hello".to_owned())
    );
}
