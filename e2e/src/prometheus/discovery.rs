//! What Prometheus' `kubernetes_sd_configs` find, in the roles that our configuration has: addresses
//! with labels for its rules to choose from.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::{EndpointSubset, Endpoints, Pod, Service};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde::{Deserialize, Serialize};

const META: &str = "__meta_kubernetes";

/// What is looked for.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Discovery {
    role: String,
    #[serde(default)]
    namespaces: Namespaces,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Namespaces {
    /// Empty: all.
    names: Vec<String>,
}

/// An address, and what is known of it; as a file of `file_sd_configs` has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Target {
    targets: [String; 1],
    labels: BTreeMap<String, String>,
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// All that is there now.
pub(super) async fn find(client: &Client, asked: &[Discovery]) -> Result<Vec<Target>> {
    let all = ListParams::default();
    let mut found = Vec::new();
    for discovery in asked {
        let namespaces = &discovery.namespaces.names;
        let looks_at = |namespace: Option<String>| {
            namespaces.is_empty() || namespace.is_some_and(|name| namespaces.contains(&name))
        };
        match discovery.role.as_str() {
            "endpoints" => {
                let services = Api::<Service>::all(client.clone()).list(&all).await?;
                let key = |namespace: Option<String>, name| (namespace, name);
                let services: HashMap<_, _> = services
                    .iter()
                    .map(|service| (key(service.namespace(), service.name_any()), service))
                    .collect();
                let endpoints = Api::<Endpoints>::all(client.clone()).list(&all).await?;
                for endpoints in endpoints.iter().filter(|it| looks_at(it.namespace())) {
                    let service = services.get(&key(endpoints.namespace(), endpoints.name_any()));
                    found.extend(service.iter().flat_map(|it| of_service(it, endpoints)));
                }
            }
            "pod" => {
                let pods = Api::<Pod>::all(client.clone()).list(&all).await?;
                let pods = pods.iter().filter(|pod| looks_at(pod.namespace()));
                found.extend(pods.flat_map(of_pod));
            }
            other => bail!("role {other} is not known here"),
        }
    }
    Ok(found)
}

fn of_service(service: &Service, endpoints: &Endpoints) -> Vec<Target> {
    let namespace = service.namespace().unwrap_or_default();
    let labels = service.labels();
    let mut found = Vec::new();
    for EndpointSubset {
        addresses, ports, ..
    } in endpoints.subsets.iter().flatten()
    {
        for address in addresses.iter().flatten() {
            let pod = address
                .target_ref
                .as_ref()
                .and_then(|it| it.name.as_deref());
            for port in ports.iter().flatten() {
                let mut target = Target::new(
                    format!("{}:{}", address.ip, port.port),
                    vec![
                        ("namespace", &namespace),
                        (
                            "endpoint_port_name",
                            port.name.as_deref().unwrap_or_default(),
                        ),
                        ("pod_name", pod.unwrap_or_default()),
                    ],
                );
                let labels = labels.iter();
                let labels = labels.map(|(name, value)| (service_label(name), value.clone()));
                target.labels.extend(labels);
                found.push(target);
            }
        }
    }
    found
}

fn of_pod(pod: &Pod) -> Vec<Target> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let ip = pod
        .status
        .as_ref()
        .and_then(|status| status.pod_ip.as_ref());
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let target = |ip: &String| {
        let targets = ports.map(|port| {
            Target::new(
                format!("{ip}:{}", port.container_port),
                vec![
                    ("namespace", &namespace),
                    ("pod_name", &name),
                    (
                        "pod_container_port_name",
                        port.name.as_deref().unwrap_or_default(),
                    ),
                ],
            )
        });
        targets.collect()
    };
    ip.map(target).unwrap_or_default()
}

/// Names of labels have neither dots nor dashes.
fn service_label(name: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).collect();
    format!("{META}_service_label_{name}")
}

// === impl Target ===

impl Target {
    fn new(address: String, labels: Labels<'_>) -> Self {
        let labels = labels.into_iter();
        Self {
            targets: [address],
            labels: labels
                .map(|(name, value)| (format!("{META}_{name}"), value.to_owned()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
    use serde_json::{from_value, json};

    use super::{of_pod, of_service};

    #[test]
    fn ports_of_services_and_pods_are_found_with_the_labels_that_prometheus_gives_them() {
        let service: Service = from_value(json!({
            "metadata": {"name": "s", "namespace": "n", "labels": {"app.kubernetes.io/x": "y"}},
        }))
        .unwrap();
        let endpoints: Endpoints = from_value(json!({
            "metadata": {"name": "s", "namespace": "n"},
            "subsets": [{
                "addresses": [{"ip": "10.0.0.1", "targetRef": {"name": "p"}}],
                "ports": [{"name": "http-metrics", "port": 9090}],
            }],
        }))
        .unwrap();
        assert_eq!(
            json!(of_service(&service, &endpoints)),
            json!([{"targets": ["10.0.0.1:9090"], "labels": {
                "__meta_kubernetes_namespace": "n",
                "__meta_kubernetes_endpoint_port_name": "http-metrics",
                "__meta_kubernetes_pod_name": "p",
                "__meta_kubernetes_service_label_app_kubernetes_io_x": "y",
            }}])
        );
        let pod: Pod = from_value(json!({
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"containers": [{"name": "c", "ports": [{"name": "x", "containerPort": 7}]}]},
            "status": {"podIP": "10.0.0.2"},
        }))
        .unwrap();
        assert_eq!(
            json!(of_pod(&pod)),
            json!([{"targets": ["10.0.0.2:7"], "labels": {
                "__meta_kubernetes_namespace": "n",
                "__meta_kubernetes_pod_name": "p",
                "__meta_kubernetes_pod_container_port_name": "x",
            }}])
        );
    }
}
