//! Rules of probes (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{FieldErrors, fields};

const HANDLERS: [&str; 4] = ["httpGet", "tcpSocket", "exec", "grpc"];

/// Probes of the container that gets the requests; `port` is the name of its port.
pub(super) fn of_serving(container: &Container, port: &str) -> FieldErrors {
    each(container, |wanted| match wanted {
        IntOrString::String(wanted) if !wanted.is_empty() && wanted != port => {
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

/// Where a container beside the serving one may not be probed: what its probes say. A handler
/// has the path of the probe.
pub(super) fn of_unprobed(container: &Container) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (name, probe) in probes(container) {
        let paths = fields::set(probe)
            .into_iter()
            .map(|field| if HANDLERS.contains(&field) { "" } else { field });
        errors.also(
            paths
                .map(|path| FieldErrors::disallowed([path]).at(name))
                .collect(),
        );
    }
    errors
}

/// The probes that are there, by field.
pub(super) fn probes(container: &Container) -> impl Iterator<Item = (&'static str, &Probe)> {
    let probes = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    probes
        .into_iter()
        .filter_map(|(name, probe)| Some((name, probe.as_ref()?)))
}

fn each(
    container: &Container,
    fault: impl Fn(&IntOrString) -> Option<&'static str>,
) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (name, probe) in probes(container) {
        let mut of_probe = handlers(probe, &fault);
        if name == "readinessProbe" {
            of_probe.also(readiness(probe));
        }
        errors.also(of_probe.at(name));
    }
    errors
}

/// There is one handler, and its port is right. A further handler stands in the paths of what was
/// found before.
fn handlers(probe: &Probe, fault: impl Fn(&IntOrString) -> Option<&'static str>) -> FieldErrors {
    let ports = [
        probe.http_get.as_ref().map(|http| &http.port),
        probe.tcp_socket.as_ref().map(|tcp| &tcp.port),
        None,
        None,
    ];
    let set = [
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
        probe.exec.is_some(),
        probe.grpc.is_some(),
    ];
    let mut errors = FieldErrors::none();
    let handlers = HANDLERS.into_iter().zip(set).zip(ports);
    for ((handler, _), port) in handlers.filter(|((_, set), _)| *set) {
        errors.wrap(handler);
        if let Some((port, fault)) = port.and_then(|port| Some((port, fault(port)?))) {
            let path = format!("{handler}.port");
            errors.also(FieldErrors::invalid(shown(port), path).details(fault));
        }
    }
    let chosen = HANDLERS.into_iter().zip(set).filter(|(_, set)| *set);
    let chosen: Vec<&str> = chosen
        .map(|(handler, _)| if handler == "grpc" { "gRPC" } else { handler })
        .collect();
    match chosen.len() {
        0 => errors.also(FieldErrors::neither(HANDLERS)),
        1 => {}
        _ => errors.also(FieldErrors::both(chosen)),
    }
    errors
}

fn shown(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

/// No period means many probes a second, which has no room for a threshold or a timeout.
fn readiness(probe: &Probe) -> FieldErrors {
    let period = probe.period_seconds.unwrap_or(0);
    let mut errors = at_least(0, Some(period), "periodSeconds");
    errors.also(at_least(
        0,
        probe.initial_delay_seconds,
        "initialDelaySeconds",
    ));
    errors.also(at_least(1, probe.success_threshold, "successThreshold"));
    for (field, value) in [
        ("failureThreshold", probe.failure_threshold),
        ("timeoutSeconds", probe.timeout_seconds),
    ] {
        if period != 0 {
            errors.also(at_least(1, value, field));
        } else if value.unwrap_or(0) != 0 {
            let text = format!("{field} is disallowed when periodSeconds is zero");
            errors.also(FieldErrors::new(text, [field]));
        }
    }
    errors
}

fn at_least(least: i32, value: Option<i32>, field: &'static str) -> FieldErrors {
    let value = value.unwrap_or(0);
    if value >= least {
        return FieldErrors::none();
    }
    FieldErrors::out_of_bounds(value, least, i32::MAX, field)
}
