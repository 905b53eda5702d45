//! The user's containers, as pods run them (contract/control-plane 2.4).

use crds::config::Flag;
use crds::name::serving;
use crds::revision::Revision;
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, HTTPGetAction, Lifecycle, LifecycleHandler, Probe,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use net::contract::{env, name, port};

use super::{Inputs, metadata, volume};

const FALLBACK_TO_LOGS: &str = "FallbackToLogsOnError";

/// Port that the app listens on.
pub(super) fn user_port(revision: &Revision) -> u16 {
    let ports = revision
        .spec
        .serving_container()
        .and_then(|container| container.ports.as_ref());
    let asked = ports
        .and_then(|ports| ports.first())
        .map(|port| port.container_port);
    asked
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port > 0)
        .unwrap_or(port::DEFAULT_USER)
}

/// The user's containers in their order.
pub(super) fn user_containers(inputs: &Inputs<'_>) -> Vec<Container> {
    let spec = &inputs.revision.spec;
    let serving = spec
        .serving_container()
        .map(|container| container.name.as_str());
    let containers = spec.pod.containers.iter();
    containers
        .map(|user| container(inputs, user, serving == Some(&user.name)))
        .collect()
}

fn container(inputs: &Inputs<'_>, user: &Container, serves: bool) -> Container {
    let port = user_port(inputs.revision);
    let keeps_ports = inputs.settings.features.multi_container_probing == Flag::Enabled;
    let probe = |probe: &Option<Probe>| probe.clone().map(|p| on_user_port(p, port, keeps_ports));
    let digests = inputs.digests.of_containers();
    let digest = digests
        .get(user.name.as_str())
        .map(|digest| (*digest).to_owned());
    let policy = user
        .termination_message_policy
        .clone()
        .filter(|policy| !policy.is_empty());
    let mut container = Container {
        image: digest.or_else(|| user.image.clone()),
        env: Some(environment(inputs.revision, user, serves.then_some(port))),
        lifecycle: Some(wait_for_drain()),
        ports: serves.then(|| vec![serving_port(port)]),
        readiness_probe: user
            .readiness_probe
            .clone()
            .filter(|probe| probe.exec.is_some()),
        liveness_probe: probe(&user.liveness_probe),
        startup_probe: probe(&user.startup_probe),
        stdin: None,
        stdin_once: None,
        tty: None,
        termination_message_policy: Some(policy.unwrap_or_else(|| FALLBACK_TO_LOGS.to_owned())),
        ..user.clone()
    };
    volume::collect_logs(inputs, &mut container);
    container
}

fn environment(revision: &Revision, user: &Container, port: Option<u16>) -> Vec<EnvVar> {
    let [port_name, revision_name, configuration_name, service_name] = env::USER;
    let mut environment = user.env.clone().unwrap_or_default();
    let mut set = |name: &str, value: String| {
        environment.push(EnvVar {
            name: name.to_owned(),
            value: Some(value),
            value_from: None,
        });
    };
    if let Some(port) = port {
        set(port_name, port.to_string());
    }
    set(revision_name, revision.name_any());
    set(
        configuration_name,
        metadata::label(revision, serving::CONFIGURATION).to_owned(),
    );
    set(
        service_name,
        metadata::label(revision, serving::SERVICE).to_owned(),
    );
    environment
}

/// The app gets SIGTERM only when the sidecar has no more requests for it.
fn wait_for_drain() -> Lifecycle {
    let wait = HTTPGetAction {
        port: IntOrString::Int(i32::from(port::QUEUE_ADMIN)),
        path: Some(name::DRAIN_PATH.to_owned()),
        ..HTTPGetAction::default()
    };
    let handler = LifecycleHandler {
        http_get: Some(wait),
        ..LifecycleHandler::default()
    };
    Lifecycle {
        pre_stop: Some(handler),
        ..Lifecycle::default()
    }
}

fn serving_port(port: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name::USER_PORT.to_owned()),
        container_port: i32::from(port),
        ..ContainerPort::default()
    }
}

/// The probe on the app's own port, whatever port it names; a port that is given stays when
/// `keeps_ports`.
fn on_user_port(mut probe: Probe, port: u16, keeps_ports: bool) -> Probe {
    let port = i32::from(port);
    let rewritten = |given: &IntOrString| match given {
        IntOrString::Int(number) if keeps_ports && *number != 0 => IntOrString::Int(*number),
        IntOrString::Int(_) | IntOrString::String(_) => IntOrString::Int(port),
    };
    if let Some(http) = &mut probe.http_get {
        http.port = rewritten(&http.port);
    }
    if let Some(tcp) = &mut probe.tcp_socket {
        tcp.port = rewritten(&tcp.port);
    }
    if let Some(grpc) = &mut probe.grpc
        && (grpc.port == 0 || !keeps_ports)
    {
        grpc.port = port;
    }
    probe
}

#[cfg(test)]
mod tests {
    use super::on_user_port;
    use k8s_openapi::api::core::v1::Probe;
    use serde_json::json;

    #[test]
    fn kubelet_probes_the_port_of_the_app() {
        for (given, keeps_ports, wanted) in [
            (
                json!({"httpGet": {"port": 8077}}),
                false,
                json!({"httpGet": {"port": 8080}}),
            ),
            (
                json!({"httpGet": {"port": 8077}}),
                true,
                json!({"httpGet": {"port": 8077}}),
            ),
            (
                json!({"tcpSocket": {"port": "http1"}}),
                true,
                json!({"tcpSocket": {"port": 8080}}),
            ),
            (
                json!({"grpc": {"port": 0}}),
                true,
                json!({"grpc": {"port": 8080}}),
            ),
            (
                json!({"exec": {"command": ["a"]}}),
                false,
                json!({"exec": {"command": ["a"]}}),
            ),
        ] {
            let probe: Probe = serde_json::from_value(given).unwrap();
            let probe = on_user_port(probe, 8080, keeps_ports);
            assert_eq!(serde_json::to_value(probe).unwrap(), wanted);
        }
    }
}
