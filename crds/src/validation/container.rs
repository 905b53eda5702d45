//! Rules of containers (contract/control-plane 1.5).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, ResourceRequirements, Volume};

use super::text::quoted;
use super::{FieldErrors, ValidationContext, env, fields, mount, probe, security};
use crate::config::Flag;
use crate::reference::Reference;

const ALLOWED: [&str; 17] = [
    "args",
    "command",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "volumeMounts",
    "workingDir",
];
const RESERVED_NAME: &str = "queue-proxy";
const RESERVED_PORTS: [i32; 6] = [8008, 8012, 8013, 8022, 9090, 9091];
const MOST_PORT: i32 = 65_535;
/// Name of a port without a name, for probes.
const UNNAMED_PORT: &str = "http";

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It gets the requests.
    Serving,
    /// It runs beside the serving one.
    Sidecar,
    /// It runs first, and ends.
    Init,
}

/// What surrounds a container.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) role: Role,
    pub(super) volumes: &'a BTreeMap<&'a str, &'a Volume>,
    pub(super) ctx: &'a ValidationContext<'a>,
}

pub(super) fn validate_all(
    pod: &PodSpec,
    volumes: &BTreeMap<&str, &Volume>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    let scope = Scope {
        role: Role::Serving,
        volumes,
        ctx,
    };
    let mut errors = of_init(pod, &scope);
    errors.also(port_count(&pod.containers).at("containers[*]"));
    match pod.containers.as_slice() {
        [] => errors.also(FieldErrors::missing(["containers"])),
        [only] => {
            let port = serving_port(&pod.containers);
            errors.also(validate(only, port, &scope).at_index("containers", 0));
        }
        several => errors.also(of_several(several, &scope)),
    }
    errors
}

/// Containers that run first. Their paths name the other list.
fn of_init(pod: &PodSpec, scope: &Scope<'_>) -> FieldErrors {
    let init = pod.init_containers.as_deref().unwrap_or_default();
    let flag = scope
        .ctx
        .settings
        .features
        .kubernetes_podspec_init_containers;
    if init.is_empty() {
        return FieldErrors::none();
    }
    if flag != Flag::Enabled {
        return FieldErrors::plain(format!(
            "pod spec support for init-containers is off, but found {} init containers",
            init.len()
        ));
    }
    let scope = Scope {
        role: Role::Init,
        ..*scope
    };
    let names: BTreeSet<&str> = pod.containers.iter().map(|c| c.name.as_str()).collect();
    let mut errors = FieldErrors::none();
    for (index, container) in init.iter().enumerate() {
        if names.contains(container.name.as_str()) {
            errors.also(duplicate(&container.name));
            errors.wrap(&format!("containers[{index}]"));
        }
        errors.also(validate(container, "", &scope).at_index("containers", index));
    }
    errors
}

fn of_several(containers: &[Container], scope: &Scope<'_>) -> FieldErrors {
    if scope.ctx.settings.features.multi_container != Flag::Enabled {
        let count = containers.len();
        return FieldErrors::plain(format!(
            "multi-container is off, but found {count} containers"
        ));
    }
    let port = serving_port(containers);
    let mut names = BTreeSet::new();
    let mut errors = FieldErrors::none();
    for (index, container) in containers.iter().enumerate() {
        if !names.insert(container.name.as_str()) {
            errors.also(duplicate(&container.name));
            errors.wrap(&format!("containers[{index}]"));
        }
        let serves = container.ports.iter().flatten().next().is_some();
        let role = if serves { Role::Serving } else { Role::Sidecar };
        let scope = Scope { role, ..*scope };
        errors.also(validate(container, port, &scope).at_index("containers", index));
    }
    errors
}

fn duplicate(name: &str) -> FieldErrors {
    let text = format!("duplicate container name {}", quoted(name));
    FieldErrors::new(text, ["name"])
}

fn validate(container: &Container, port: &str, scope: &Scope<'_>) -> FieldErrors {
    let features = &scope.ctx.settings.features;
    let mut errors = match scope.role {
        Role::Serving => probe::of_serving(container, port),
        Role::Sidecar if features.multi_container_probing == Flag::Enabled => {
            probe::of_sidecar(container)
        }
        Role::Sidecar => probe::of_unprobed(container),
        Role::Init => not_in_init(container),
    };
    if is_empty(container) {
        errors.also(FieldErrors::missing([""]));
        return errors;
    }
    errors.also(fields::only(container, &ALLOWED));
    errors.also(identity(container));
    errors.also(message_policy(container));
    errors.also(env::validate(container, scope));
    errors.also(mount::validate(container, scope));
    errors.also(ports(container, scope.role).at("ports"));
    errors.also(security::container(container, features).at("securityContext"));
    if let Some(resources) = &container.resources {
        errors.also(fields::only(resources, &["limits", "requests"]).at("resources"));
    }
    errors
}

fn is_empty(container: &Container) -> bool {
    let empty = Container {
        resources: Some(ResourceRequirements::default()),
        ..Container::default()
    };
    *container == empty
}

fn not_in_init(container: &Container) -> FieldErrors {
    let lifecycle = container.lifecycle.iter().map(|_| "lifecycle");
    let probes = probe::probes(container).map(|(name, _)| name);
    probes
        .chain(lifecycle)
        .map(|field| FieldErrors::new("field not allowed in an init container", [field]))
        .collect()
}

fn identity(container: &Container) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if container.name == RESERVED_NAME {
        let text = format!("{} is a reserved container name", quoted(RESERVED_NAME));
        errors.also(FieldErrors::new(text, ["name"]));
    }
    let image = container.image.as_deref().unwrap_or_default();
    if image.is_empty() {
        errors.also(FieldErrors::missing(["image"]));
    } else if let Err(error) = Reference::parse(image) {
        errors.also(
            FieldErrors::new("Failed to parse image reference", ["image"])
                .details(format!("image: {}, error: {error}", quoted(image))),
        );
    }
    errors
}

fn message_policy(container: &Container) -> FieldErrors {
    match container.termination_message_policy.as_deref() {
        None | Some("" | "File" | "FallbackToLogsOnError") => FieldErrors::none(),
        Some(other) => FieldErrors::invalid(other, "terminationMessagePolicy"),
    }
}

/// Name of the port that gets the requests.
fn serving_port(containers: &[Container]) -> &str {
    let last = containers
        .iter()
        .rev()
        .find_map(|container| container.ports.as_ref()?.first());
    let name = last.and_then(|port| port.name.as_deref());
    name.filter(|name| !name.is_empty()).unwrap_or(UNNAMED_PORT)
}

fn port_count(containers: &[Container]) -> FieldErrors {
    let ports = containers.iter().flat_map(|container| &container.ports);
    match ports.flatten().count() {
        0 if containers.len() > 1 => FieldErrors::missing(["ports"]),
        0 | 1 => FieldErrors::none(),
        _ => FieldErrors::new("more than one container port is set", ["ports"])
            .details("Only a single port is allowed across all containers"),
    }
}

/// Of a container that runs on, only the first port counts.
fn ports(container: &Container, role: Role) -> FieldErrors {
    let ports = container.ports.as_deref().unwrap_or_default();
    match (role, ports) {
        (Role::Init, ports) => ports.iter().map(port_number).collect(),
        (Role::Serving | Role::Sidecar, [first, ..]) => port(first),
        (Role::Serving | Role::Sidecar, []) => FieldErrors::none(),
    }
}

fn port_number(port: &ContainerPort) -> FieldErrors {
    let mut errors = fields::only(port, &["containerPort", "name", "protocol"]);
    let number = port.container_port;
    if RESERVED_PORTS.contains(&number) {
        let text = format!("{number} is a reserved port");
        errors.also(
            FieldErrors::invalid(&text, "containerPort")
                .details(format!("{text}, please use a different value")),
        );
    }
    if !(0..=MOST_PORT).contains(&number) {
        let bounds = FieldErrors::out_of_bounds(number, 0, MOST_PORT, "containerPort");
        errors.also(bounds);
    }
    errors
}

fn port(port: &ContainerPort) -> FieldErrors {
    let mut errors = port_number(port);
    let protocol = port.protocol.as_deref().unwrap_or_default();
    if !matches!(protocol, "" | "TCP") {
        errors.also(FieldErrors::invalid(protocol, "protocol"));
    }
    let name = port.name.as_deref().unwrap_or_default();
    if !matches!(name, "" | "h2c" | "http1") {
        errors.also(
            FieldErrors::new(format!("Port name {name} is not allowed"), [""])
                .details("Name must be empty, or one of: 'h2c', 'http1'"),
        );
    }
    errors
}
