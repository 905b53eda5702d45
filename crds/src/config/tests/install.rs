//! The manifests in `config/`: what other people's tools look for in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

/// Objects that tests, add-ons and people know by name (contract/control-plane 8.1, 8.8).
const KNOWN: &str = "
    ClusterRole knative-serving-addressable-resolver
    ClusterRole knative-serving-admin
    ClusterRole knative-serving-aggregated-addressable-resolver
    ClusterRole knative-serving-core
    ClusterRole knative-serving-namespaced-admin
    ClusterRole knative-serving-namespaced-edit
    ClusterRole knative-serving-namespaced-view
    ClusterRole knative-serving-podspecable-binding
    Deployment activator
    Deployment autoscaler
    Deployment controller
    Deployment webhook
    HorizontalPodAutoscaler activator
    HorizontalPodAutoscaler webhook
    Image queue-proxy
    Job default-domain
    Namespace knative-serving
    PodDisruptionBudget activator-pdb
    PodDisruptionBudget webhook-pdb
    Service activator-service
    Service autoscaler
    Service controller
    Service webhook
    ServiceAccount activator
    ServiceAccount controller
";

/// Kinds without a namespace.
const OF_THE_CLUSTER: [&str; 6] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "Namespace",
    "ValidatingWebhookConfiguration",
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .collect()
}

fn objects() -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config");
    let texts = files(&folder)
        .into_iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    texts
        .flat_map(|text| {
            let documents = serde_yaml::Deserializer::from_str(&text);
            let objects: Vec<Value> = documents
                .map(|document| Value::deserialize(document).unwrap())
                .collect();
            objects
        })
        .filter(|object| object["kind"] != "Kustomization" && !object.is_null())
        .collect()
}

fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}

#[test]
fn every_file_is_part_of_the_kustomization_beside_it() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config");
    for file in files(&folder) {
        let list = file.with_file_name("kustomization.yaml");
        let list: Value = serde_yaml::from_str(&std::fs::read_to_string(list).unwrap()).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let listed = list["resources"].as_array().unwrap();
        let is_part = listed.iter().any(|it| it == name) || name == "kustomization.yaml";
        assert!(is_part, "{}", file.display());
    }
}

#[test]
fn what_others_look_for_is_there() {
    let there: BTreeSet<String> = objects().iter().map(title).collect();
    for known in KNOWN.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(there.contains(known), "{known}");
    }
}

#[test]
fn everything_says_whose_it_is() {
    for object in objects() {
        let (title, labels) = (title(&object), &object["metadata"]["labels"]);
        let app = &labels["app.kubernetes.io/name"];
        assert_eq!(app, "knative-serving", "{title}");
        assert!(labels["app.kubernetes.io/version"].is_string(), "{title}");
        let kind = object["kind"].as_str().unwrap();
        let namespace = &object["metadata"]["namespace"];
        match OF_THE_CLUSTER.contains(&kind) {
            true => assert!(namespace.is_null(), "{title}"),
            false => assert_eq!(namespace, "knative-serving", "{title}"),
        }
    }
}

/// An install in another namespace must not need more than kustomize's `namespace`.
#[test]
fn programs_hear_of_their_namespace_from_their_pod() {
    for object in objects() {
        let title = title(&object);
        let containers = &object["spec"]["template"]["spec"]["containers"];
        for container in containers.as_array().into_iter().flatten() {
            let text = container.to_string();
            assert!(!text.contains("knative-serving"), "{title}");
            let env = container["env"].as_array().unwrap();
            let namespace = env.iter().find(|it| it["name"] == "SYSTEM_NAMESPACE");
            let path = &namespace.unwrap()["valueFrom"]["fieldRef"]["fieldPath"];
            assert_eq!(path, "metadata.namespace", "{title}");
        }
        for rule in object["rules"].as_array().into_iter().flatten() {
            assert!(!rule.to_string().contains("knative-serving"), "{title}");
        }
    }
}
