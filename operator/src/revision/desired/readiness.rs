//! Readiness: who probes what (contract/control-plane 2.4, contract/data-plane 3.5).
//!
//! The sidecar probes the app, every few milliseconds while a pod starts, and kubelet asks the
//! sidecar. Only exec probes stay with kubelet: the sidecar then just connects.

use crds::config::Flag;
use crds::revision::Revision;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, HTTPHeader, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use net::contract::{header, probe};

use super::{Inputs, user_container};

const LOCALHOST: &str = "127.0.0.1";

/// How often kubelet asks a sidecar whose app has no period of its own. Kubernetes' default of ten
/// seconds would make an app that takes more than a second to start Ready up to ten seconds late.
const KUBELET_PERIOD_SECONDS: i32 = 1;

/// How many failures make a pod unready then: half a minute, as with Kubernetes' defaults. A pod
/// that is short of processor for a few seconds is not a pod that does not serve.
const KUBELET_FAILURES: i32 = 30;

/// Kubelet's probe of the sidecar: the user's timing, our question.
pub(super) fn of_sidecar(revision: &Revision, serving_port: u16) -> Probe {
    let asked = revision
        .spec
        .serving_container()
        .and_then(|user| user.readiness_probe.clone());
    let timing = asked.unwrap_or_default();
    let question = HTTPGetAction {
        port: IntOrString::Int(i32::from(serving_port)),
        http_headers: Some(vec![HTTPHeader {
            name: header::PROBE.to_owned(),
            value: probe::QUEUE.to_owned(),
        }]),
        ..HTTPGetAction::default()
    };
    let (period_seconds, failure_threshold) = match timing.period_seconds {
        Some(period) if period > 0 => (period, timing.failure_threshold),
        Some(_) | None => (KUBELET_PERIOD_SECONDS, Some(KUBELET_FAILURES)),
    };
    Probe {
        http_get: Some(question),
        exec: None,
        grpc: None,
        tcp_socket: None,
        period_seconds: Some(period_seconds),
        failure_threshold,
        ..timing
    }
}

/// The sidecar's probe of the app as JSON: one probe, or with `multi-container-probing` the list
/// of all. Empty when there is nothing to ask.
pub(super) fn of_app(inputs: &Inputs<'_>) -> String {
    let spec = &inputs.revision.spec;
    let user_port = user_container::user_port(inputs.revision);
    let probed = |container: &Container| {
        container
            .readiness_probe
            .clone()
            .map(|probe| resolved(probe, user_port))
    };
    if inputs.settings.features.multi_container_probing == Flag::Enabled {
        let probes: Vec<Probe> = spec.pod.containers.iter().filter_map(probed).collect();
        return json(&probes);
    }
    let probe = spec.serving_container().and_then(probed);
    probe.map(|probe| json(&probe)).unwrap_or_default()
}

/// A probe is plain data: nothing in it can fail to be written.
fn json(probe: &impl serde::Serialize) -> String {
    serde_json::to_string(probe).unwrap_or_default()
}

/// The probe with all that it leaves to its place: address, port, scheme, timeout.
fn resolved(mut probe: Probe, user_port: u16) -> Probe {
    let user_port = i32::from(user_port);
    let on = |port: &IntOrString| match port {
        IntOrString::Int(number) if *number > 0 => IntOrString::Int(*number),
        IntOrString::Int(_) | IntOrString::String(_) => IntOrString::Int(user_port),
    };
    if let Some(http) = &mut probe.http_get {
        http.host = Some(LOCALHOST.to_owned());
        http.port = on(&http.port);
        http.scheme.get_or_insert_with(|| "HTTP".to_owned());
    }
    if let Some(tcp) = &mut probe.tcp_socket {
        tcp.host = Some(LOCALHOST.to_owned());
        tcp.port = on(&tcp.port);
    }
    if let Some(grpc) = &mut probe.grpc {
        grpc.port = if grpc.port > 0 { grpc.port } else { user_port };
        grpc.service.get_or_insert_default();
    }
    if probe.exec.take().is_some() {
        let host = Some(LOCALHOST.to_owned());
        probe.tcp_socket = Some(TCPSocketAction {
            host,
            port: IntOrString::Int(user_port),
        });
    }
    let periodic = probe.period_seconds.is_some_and(|period| period > 0);
    if periodic && probe.timeout_seconds.is_none_or(|timeout| timeout < 1) {
        probe.timeout_seconds = Some(1);
    }
    probe
}

#[cfg(test)]
mod tests {
    use super::resolved;
    use k8s_openapi::api::core::v1::Probe;
    use serde_json::{Value, json};

    #[test]
    fn the_sidecar_gets_a_probe_with_nothing_left_open() {
        let tcp = |port: i32| json!({"host": "127.0.0.1", "port": port});
        let http = json!({"host": "127.0.0.1", "port": 8077, "path": "/p", "scheme": "HTTP"});
        for (given, wanted) in [
            (json!({"tcpSocket": {}}), json!({"tcpSocket": tcp(8080)})),
            (
                json!({"tcpSocket": {"port": "http1"}}),
                json!({"tcpSocket": tcp(8080)}),
            ),
            (
                json!({"exec": {"command": ["x"]}}),
                json!({"tcpSocket": tcp(8080)}),
            ),
            (
                json!({"httpGet": {"path": "/p", "port": 8077}}),
                json!({"httpGet": http}),
            ),
            (
                json!({"grpc": {"port": 0}}),
                json!({"grpc": {"port": 8080, "service": ""}}),
            ),
            (
                json!({"tcpSocket": {}, "periodSeconds": 5}),
                json!({"tcpSocket": tcp(8080), "periodSeconds": 5, "timeoutSeconds": 1}),
            ),
        ] {
            let probe: Probe = serde_json::from_value(given).unwrap();
            let resolved: Value = serde_json::to_value(resolved(probe, 8080)).unwrap();
            assert_eq!(resolved, wanted);
        }
    }
}
