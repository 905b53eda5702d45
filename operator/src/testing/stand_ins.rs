//! What everyone else in the cluster would write: kubelet, the endpoints controller, the
//! autoscaler, the activators. As little as our reconcilers need, and at once.

use crds::autoscaling::PodAutoscaler;
use crds::condition::{Truth, find, is_ready};
use crds::networking::{Ingress, ServerlessService};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Pod, Service};
use kube::{Resource, ResourceExt};
use runtime::kube::owner::owner_reference;
use serde_json::{Value, json};

use super::cluster::{Cluster, Hands};

/// A cluster in which everything works: pods start, the autoscaler follows, activators answer.
/// [`pods_fail`] changes that.
pub(crate) fn healthy_cluster() -> Cluster {
    Cluster::new()
        .with(deployments_have_pods)
        .with(endpoints_follow)
        .with(autoscaler_follows)
        .with(activators_answer)
}

const WEATHER: &str = "weather";

/// From now on every pod has this status, and serves nothing.
pub(crate) fn pods_fail(cluster: &Cluster, status: &Value) {
    cluster.configure(WEATHER, "pods", &status.to_string());
}

/// From now on every pod serves.
pub(crate) fn pods_run(cluster: &Cluster) {
    cluster.configure(WEATHER, "pods", "null");
}

/// Sets how many pods every Deployment should have.
pub(crate) fn scale(cluster: &Cluster, replicas: i32) {
    for deployment in cluster.list::<Deployment>() {
        let namespace = deployment.namespace().unwrap_or_default();
        cluster.edit::<Deployment>(&namespace, &deployment.name_any(), |it| {
            it["spec"]["replicas"] = replicas.into();
        });
    }
}

/// Every Deployment has the pods that it asks for; they serve if the weather allows it.
fn deployments_have_pods(hands: &mut Hands<'_>) {
    let weather = hands.get::<ConfigMap>(super::operator::SYSTEM, WEATHER);
    let told = weather.and_then(|it| it.data?.get("pods")?.parse::<Value>().ok());
    let trouble = told.filter(|status| !status.is_null());
    for deployment in hands.list::<Deployment>() {
        let replicas = wanted(&deployment);
        let serving = if trouble.is_some() { 0 } else { replicas };
        let status = json!({
            "observedGeneration": deployment.metadata.generation,
            "replicas": replicas, "readyReplicas": serving, "availableReplicas": serving,
            "conditions": [condition("Progressing", "True", "NewReplicaSetAvailable", "")],
        });
        hands.put_status(&deployment, status);
        let namespace = deployment.namespace().unwrap_or_default();
        let pod = format!("{}-pod", deployment.name_any());
        match &trouble {
            Some(status) if replicas > 0 => hands.put(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": pod, "namespace": namespace, "labels": deployment.labels(),
                    "ownerReferences": [owner_reference(&deployment)],
                },
                "status": status,
            })),
            Some(_) | None => hands.delete::<Pod>(&namespace, &pod),
        }
    }
}

/// Core Services with a selector have one address when a Deployment with that selector has pods.
pub(crate) fn endpoints_follow(hands: &mut Hands<'_>) {
    let deployments = hands.list::<Deployment>();
    for service in hands.list::<Service>() {
        let spec = service.spec.clone().unwrap_or_default();
        let Some(selector) = spec.selector.filter(|selector| !selector.is_empty()) else {
            continue;
        };
        let has_pods = deployments.iter().any(|deployment| {
            let spec = deployment.spec.as_ref();
            let labels = spec.and_then(|spec| spec.selector.match_labels.as_ref());
            labels == Some(&selector) && ready(deployment) > 0
        });
        let ports: Vec<Value> = spec
            .ports
            .iter()
            .flatten()
            .map(|port| json!({ "name": port.name, "port": port.port }))
            .collect();
        let subset = json!({ "addresses": [{ "ip": "10.1.2.3" }], "ports": ports });
        let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
        let there = hands.get::<Endpoints>(&namespace, &name);
        let mut endpoints = json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": { "name": name, "namespace": namespace, "labels": service.labels() },
        });
        if has_pods {
            endpoints["subsets"] = json!([subset]);
        }
        let known = there.is_some_and(|there| there.subsets.is_some() == has_pods);
        if !known {
            hands.put(endpoints);
        }
    }
}

/// Every PodAutoscaler has its ServerlessService, and says of its Deployment what is so.
pub(crate) fn autoscaler_follows(hands: &mut Hands<'_>) {
    for autoscaler in hands.list::<PodAutoscaler>() {
        let (name, namespace) = (
            autoscaler.name_any(),
            autoscaler.namespace().unwrap_or_default(),
        );
        let target = autoscaler
            .spec
            .scale_target_ref
            .name
            .clone()
            .unwrap_or_default();
        let Some(path) = hands.get::<ServerlessService>(&namespace, &name) else {
            hands.put(path_of(&autoscaler));
            continue;
        };
        let path_status = path.status.clone().unwrap_or_default();
        let generation = path.metadata.generation;
        let is_path_ready = is_ready(
            &path_status.conditions,
            path_status.observed_generation,
            generation,
        );
        let deployment = hands.get::<Deployment>(&namespace, &target);
        let (wanted, ready) = deployment
            .as_ref()
            .map_or((1, 0), |it| (wanted(it), ready(it)));
        let before = autoscaler.status.clone().unwrap_or_default();
        let initialised = Truth::of(find(&before.conditions, "ScaleTargetInitialized")).is_true()
            || (ready > 0 && is_path_ready);
        let active = match (wanted, ready) {
            (0, _) => ("False", "NoTraffic", "The target is not receiving traffic."),
            (_, 0) => (
                "Unknown",
                "Queued",
                "Requests to the target are being buffered.",
            ),
            _ => ("True", "", ""),
        };
        let status = json!({
            "observedGeneration": autoscaler.metadata.generation,
            "serviceName": path_status.service_name.unwrap_or_default(),
            "metricsServiceName": path_status.private_service_name.unwrap_or_default(),
            "desiredScale": wanted, "actualScale": ready,
            "conditions": [
                condition("Ready", active.0, active.1, active.2),
                condition("ScaleTargetInitialized", if initialised { "True" } else { "Unknown" }, "", ""),
            ],
        });
        hands.put_status(&autoscaler, status);
    }
}

/// Every Ingress is live.
pub(crate) fn activators_answer(hands: &mut Hands<'_>) {
    let gateway =
        json!({ "ingress": [{ "domainInternal": "gateway.knative-serving.svc.cluster.local" }] });
    for ingress in hands.list::<Ingress>() {
        let status = json!({
            "observedGeneration": ingress.metadata.generation,
            "conditions": [condition("Ready", "True", "", "")],
            "publicLoadBalancer": gateway, "privateLoadBalancer": gateway,
        });
        hands.put_status(&ingress, status);
    }
}

fn path_of(autoscaler: &PodAutoscaler) -> Value {
    let target = &autoscaler.spec.scale_target_ref;
    json!({
        "apiVersion": ServerlessService::api_version(&()),
        "kind": ServerlessService::kind(&()),
        "metadata": {
            "name": autoscaler.name_any(), "namespace": autoscaler.namespace(),
            "labels": autoscaler.labels(),
            "ownerReferences": [owner_reference(autoscaler)],
        },
        "spec": {
            "mode": "Proxy", "protocolType": autoscaler.spec.protocol_type, "numActivators": 2,
            "objectRef": { "apiVersion": target.api_version, "kind": target.kind, "name": target.name },
        },
    })
}

fn wanted(deployment: &Deployment) -> i32 {
    let spec = deployment.spec.as_ref();
    spec.and_then(|spec| spec.replicas).unwrap_or(1)
}

fn ready(deployment: &Deployment) -> i32 {
    let status = deployment.status.as_ref();
    status.and_then(|status| status.ready_replicas).unwrap_or(0)
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z" })
}
