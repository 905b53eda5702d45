//! The objects of a revision that has one pod and as many requests as that can carry.

use net::stat::{Stat, WireStatMessage};
use serde_json::{Value, json};

const NAMESPACE: &str = "bench";
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

fn name(number: usize) -> String {
    format!("service-{number:04}-00001")
}

/// What an activator tells of the revision.
pub(super) fn report(number: usize) -> WireStatMessage {
    let stat = Stat {
        pod_name: "activator-5c-bench".to_owned(),
        average_concurrent_requests: 1.0 + number as f64 % 50.0,
        request_count: 10.0,
        ..Stat::default()
    };
    WireStatMessage {
        namespace: NAMESPACE.to_owned(),
        name: name(number),
        stat: Some(stat),
    }
}

/// All objects of so many revisions, by plural.
pub(super) fn objects(revisions: usize) -> Vec<(&'static str, Value)> {
    (0..revisions).flat_map(of).collect()
}

fn of(number: usize) -> [(&'static str, Value); 4] {
    let name = name(number);
    let metadata = |object: &str| {
        json!({
            "name": object, "namespace": NAMESPACE, "uid": format!("uid-{number}"), "generation": 1,
            "labels": {
                "serving.knative.dev/service": format!("service-{number:04}"),
                "serving.knative.dev/configuration": format!("service-{number:04}"),
                "serving.knative.dev/revision": name,
            },
        })
    };
    let deployment = format!("{name}-deployment");
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": deployment });
    let mut path = json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "ServerlessService",
        "metadata": metadata(&name),
        "spec": { "objectRef": target, "protocolType": "http1" },
        "status": {
            "observedGeneration": 1, "serviceName": name,
            "privateServiceName": format!("{name}-private"),
            "conditions": [condition("Ready")],
        },
    });
    path["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1", "kind": "PodAutoscaler",
        "name": name, "uid": format!("uid-{number}"), "controller": true,
    }]);
    [
        (
            "podautoscalers",
            json!({
                "apiVersion": "autoscaling.internal.knative.dev/v1alpha1", "kind": "PodAutoscaler",
                "metadata": metadata(&name),
                "spec": {
                    "scaleTargetRef": target, "protocolType": "http1", "reachability": "Reachable",
                },
                "status": { "conditions": [condition("Active"), condition("ScaleTargetInitialized")] },
            }),
        ),
        ("serverlessservices", path),
        (
            "deployments",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(&deployment),
                "spec": { "replicas": 1, "selector": {}, "template": {} },
            }),
        ),
        (
            "pods",
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": metadata(&format!("{deployment}-5c-a")),
                "spec": { "containers": [] },
                "status": {
                    "phase": "Running", "startTime": LONG_AGO,
                    "conditions": [{ "type": "Ready", "status": "True" }],
                },
            }),
        ),
    ]
}

fn condition(name: &str) -> Value {
    json!({ "type": name, "status": "True", "lastTransitionTime": LONG_AGO })
}
