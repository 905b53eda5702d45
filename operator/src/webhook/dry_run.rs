//! The dry run of a pod: what only the API server can judge is asked when the author asked for a
//! dry run, too (contract/control-plane 1.4).

use crds::name::serving;
use crds::revision::{RevisionSpec, RevisionTemplate};
use k8s_openapi::api::core::v1::{Container, ContainerPort, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use net::contract::{name, port};
use serde_json::Value;

use super::review::Request;

/// What an API server says whose admission chain can't do a dry run.
const UNABLE: &str = "does not support dry run";

/// Unauthorized, Too Many Requests, Service Unavailable, Gateway Timeout: it did not look at the pod.
const UNASKED: [u16; 4] = [401, 429, 503, 504];

/// Pods that are created for show only.
#[derive(Clone)]
pub(crate) struct Pods {
    client: Client,
}

impl Pods {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Why the pod of the request would be refused; nothing if it would not be, or if nobody
    /// asked.
    pub(crate) async fn fault(&self, request: &Request) -> Option<String> {
        let pod = wanted(request)?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &request.namespace);
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        fault(&pods.create(&dry_run, &pod).await.err()?)
    }
}

/// What the API server has against the pod; nothing if it could not be asked: a replica that was
/// deleted, say, still answers for a moment, but is not known any more. Then nobody is refused.
pub(crate) fn fault(error: &kube::Error) -> Option<String> {
    let kube::Error::Api(status) = error else {
        return None;
    };
    if UNASKED.contains(&status.code) || status.message.contains(UNABLE) {
        return None;
    }
    Some(format!(
        "validation callback failed: dry run failed with {}: spec.template",
        status.message
    ))
}

/// The pod to try; nothing if the request does not ask for it.
pub(crate) fn wanted(request: &Request) -> Option<Pod> {
    let asked = request.dry_run == Some(true) && request.writes() && !request.status_only();
    let object = request.object.as_ref().filter(|_| asked)?;
    let label = object
        .pointer("/metadata/labels")
        .and_then(|labels| labels.get(serving::SERVICE));
    let judged = match request.kind.kind.as_str() {
        "Service" => request.kind.group == serving::GROUP,
        "Configuration" => label.is_none(),
        _ => false,
    };
    let template = object.pointer("/spec/template").filter(|_| judged)?;
    pod(template, &request.namespace)
}

fn pod(template: &Value, namespace: &str) -> Option<Pod> {
    let template: RevisionTemplate = serde_json::from_value(template.clone()).ok()?;
    let serving = template
        .spec
        .serving_container()
        .map(|container| container.name.clone());
    let RevisionSpec { pod: mut spec, .. } = template.spec;
    for container in &mut spec.containers {
        let serves = Some(&container.name) == serving.as_ref();
        make_runnable(container, serves);
    }
    Some(Pod {
        metadata: ObjectMeta {
            generate_name: Some("dry-run-validation".to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    })
}

/// As the Revision's Deployment will have it: probes that the sidecar runs are gone, and the
/// others know the port.
fn make_runnable(container: &mut Container, serves: bool) {
    let ports = container.ports.take().unwrap_or_default();
    let named = ports.first().map_or(0, |port| port.container_port);
    let number = if named == 0 {
        i32::from(port::DEFAULT_USER)
    } else {
        named
    };
    if serves {
        container.ports = Some(vec![ContainerPort {
            name: Some(name::USER_PORT.to_owned()),
            container_port: number,
            ..ContainerPort::default()
        }]);
    }
    container.readiness_probe = container
        .readiness_probe
        .take()
        .filter(|p| p.exec.is_some());
    let others = [&mut container.liveness_probe, &mut container.startup_probe];
    others
        .into_iter()
        .flatten()
        .for_each(|probe| point_to(probe, number));
}

fn point_to(probe: &mut Probe, port: i32) {
    if let Some(http) = &mut probe.http_get {
        http.port = IntOrString::Int(port);
    }
    if let Some(tcp) = &mut probe.tcp_socket {
        tcp.port = IntOrString::Int(port);
    }
    if let Some(grpc) = &mut probe.grpc {
        grpc.port = port;
    }
}
