mod activation;
mod children;
mod table;

use super::digests::{Digests, Images, Look, resolve};
use super::gather::Seen;
use crate::child::Child;
use crds::revision::Revision;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const UID: &str = "0b7d3c52-0000-4000-8000-000000000001";

/// A small revision of a Service.
fn revision() -> Revision {
    object(json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": "hello-00001",
            "namespace": "default",
            "uid": UID,
            "generation": 1,
            "labels": {
                "serving.knative.dev/configuration": "hello",
                "serving.knative.dev/service": "hello",
                "serving.knative.dev/routingState": "active",
            },
        },
        "spec": {
            "timeoutSeconds": 300,
            "containers": [{
                "name": "user-container",
                "image": "registry.example.com/hello:v1",
                "readinessProbe": { "tcpSocket": {}, "successThreshold": 1 },
            }],
        },
    }))
}

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The images of `revision` where every tag is run as it is.
fn by_tag(revision: &Revision) -> Digests {
    let answer = |_| Look::Answered(String::new());
    match resolve(revision, &BTreeSet::new(), answer) {
        Images::Known(digests) => digests,
        images => panic!("{images:?}"),
    }
}

/// A child of [`revision`], or none.
fn child<K: DeserializeOwned>(mut value: Value) -> Child<K> {
    if value.is_null() {
        return Child::Missing;
    }
    let owner = json!([{
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "name": "hello-00001", "uid": UID, "controller": true,
    }]);
    value["metadata"]["ownerReferences"] = owner;
    Child::Ours(Arc::new(object(value)))
}

/// The world as seen: Deployment, pods and PodAutoscaler as JSON.
fn seen(deployment: Value, pods: Vec<Value>, autoscaler: Value) -> Seen {
    Seen {
        revision: "hello-00001".to_owned(),
        images: Images::Known(by_tag(&revision())),
        deployment: child(deployment),
        autoscaler: child(autoscaler),
        hints: BTreeMap::new(),
        pods: pods.into_iter().map(|pod| Arc::new(object(pod))).collect(),
    }
}
