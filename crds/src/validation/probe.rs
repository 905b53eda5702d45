//! Rules of probes (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{FieldErrors, fields};

const HANDLERS: [&str; 4] = ["httpGet", "tcpSocket", "exec", "grpc"];
const ALLOWED: [&str; 10] = [
    "exec",
    "failureThreshold",
    "grpc",
    "httpGet",
    "initialDelaySeconds",
    "periodSeconds",
    "successThreshold",
    "tcpSocket",
    "terminationGracePeriodSeconds",
    "timeoutSeconds",
];

/// Probes of the container that gets the requests.
pub(super) fn of_serving(container: &Container) -> FieldErrors {
    let port = container.ports.iter().flatten().next();
    let name = port
        .and_then(|port| port.name.as_deref())
        .unwrap_or_default();
    each(container, |port| match port {
        IntOrString::String(wanted) if !wanted.is_empty() && wanted != name => {
            Some("Probe port must match container port")
        }
        IntOrString::String(_) | IntOrString::Int(_) => None,
    })
}

/// Probes of a container beside the serving one: it has no port of its own to fall back to.
pub(super) fn of_sidecar(container: &Container) -> FieldErrors {
    each(container, |port| match port {
        IntOrString::Int(0) => Some("Probe port must be specified"),
        IntOrString::String(name) if name.is_empty() => Some("Probe port must be specified"),
        IntOrString::String(_) | IntOrString::Int(_) => None,
    })
}

fn each(
    container: &Container,
    fault: impl Fn(&IntOrString) -> Option<&'static str>,
) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (field, probe) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        let Some(probe) = probe else { continue };
        let mut of_probe = fields::only(probe, &ALLOWED);
        of_probe.also(fields::exactly_one(probe, &HANDLERS));
        of_probe.also(ports(probe, &fault));
        of_probe.also(times(probe));
        if field == "readinessProbe" {
            of_probe.also(readiness(probe));
        }
        errors.also(of_probe.at(field));
    }
    errors
}

fn ports(probe: &Probe, fault: impl Fn(&IntOrString) -> Option<&'static str>) -> FieldErrors {
    let http = probe
        .http_get
        .as_ref()
        .map(|http| ("httpGet.port", http.port.clone()));
    let tcp = probe
        .tcp_socket
        .as_ref()
        .map(|tcp| ("tcpSocket.port", tcp.port.clone()));
    let grpc = probe
        .grpc
        .as_ref()
        .map(|grpc| ("grpc.port", IntOrString::Int(grpc.port)));
    let faults = [http, tcp, grpc]
        .into_iter()
        .flatten()
        .filter_map(|(path, port)| {
            let fault = fault(&port)?;
            Some(FieldErrors::invalid(shown(&port), path).details(fault))
        });
    faults.collect()
}

fn shown(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

fn times(probe: &Probe) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("periodSeconds", probe.period_seconds),
    ] {
        if let Some(value) = value.filter(|value| *value < 0) {
            errors.also(FieldErrors::out_of_bounds(value, 0, i32::MAX, field));
        }
    }
    errors
}

/// No period means many probes a second, which has no room for a threshold or a timeout.
fn readiness(probe: &Probe) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let aggressive = probe.period_seconds.unwrap_or(0) == 0;
    for (field, value) in [
        ("failureThreshold", probe.failure_threshold),
        ("timeoutSeconds", probe.timeout_seconds),
    ] {
        let value = value.unwrap_or(0);
        if aggressive && value != 0 {
            let text = format!("{field} is disallowed when periodSeconds is zero");
            errors.also(FieldErrors::new(text, [field]));
        } else if !aggressive && value < 1 {
            errors.also(FieldErrors::out_of_bounds(value, 1, i32::MAX, field));
        }
    }
    let successes = probe.success_threshold.unwrap_or(0);
    if successes < 1 {
        errors.also(FieldErrors::out_of_bounds(
            successes,
            1,
            i32::MAX,
            "successThreshold",
        ));
    }
    errors
}
