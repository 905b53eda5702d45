//! Rules of containers (contract/control-plane 1.5).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, Volume};

use super::{FieldErrors, ValidationContext, env, fields, mount, probe, security};
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
const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const NOT_IN_INIT: [&str; 4] = [
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
];
const RESERVED_NAME: &str = "queue-proxy";
const RESERVED_PORTS: [i32; 6] = [8008, 8012, 8013, 8022, 9090, 9091];
const MOST_PORT: i32 = 65_535;

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

pub(super) fn validate_all(
    pod: &PodSpec,
    volumes: &BTreeMap<&str, &Volume>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    let mut errors = port_count(&pod.containers);
    let alone = pod.containers.len() == 1;
    for (index, container) in pod.containers.iter().enumerate() {
        let role = if alone || has_port(container) {
            Role::Serving
        } else {
            Role::Sidecar
        };
        let scope = Scope {
            role,
            pod,
            volumes,
            ctx,
        };
        errors.also(validate(container, &scope).at_index("containers", index));
    }
    for (index, container) in pod.init_containers.iter().flatten().enumerate() {
        let scope = Scope {
            role: Role::Init,
            pod,
            volumes,
            ctx,
        };
        errors.also(validate(container, &scope).at_index("initContainers", index));
    }
    errors
}

/// What surrounds a container.
pub(super) struct Scope<'a> {
    pub(super) role: Role,
    pub(super) pod: &'a PodSpec,
    pub(super) volumes: &'a BTreeMap<&'a str, &'a Volume>,
    pub(super) ctx: &'a ValidationContext<'a>,
}

fn validate(container: &Container, scope: &Scope<'_>) -> FieldErrors {
    let mut errors = set_fields(container, scope);
    errors.also(identity(container));
    errors.also(words(container));
    errors.also(env::validate(container, scope));
    errors.also(mount::validate(container, scope));
    errors.also(security::container(container, scope).at("securityContext"));
    if let Some(resources) = &container.resources {
        errors.also(fields::only(resources, &["limits", "requests"]).at("resources"));
    }
    match scope.role {
        Role::Serving => {
            for port in container.ports.iter().flatten() {
                errors.also(self::port(port).at("ports"));
            }
            errors.also(probe::of_serving(container));
        }
        Role::Sidecar => errors.also(probe::of_sidecar(container)),
        Role::Init => {}
    }
    errors
}

fn set_fields(container: &Container, scope: &Scope<'_>) -> FieldErrors {
    let probing = scope.ctx.settings.features.multi_container_probing.is_on();
    let set = fields::set(container);
    let refused = |field: &&String| match scope.role {
        Role::Serving => !ALLOWED.contains(&field.as_str()),
        Role::Sidecar => {
            !ALLOWED.contains(&field.as_str()) || !probing && PROBES.contains(&field.as_str())
        }
        Role::Init => !ALLOWED.contains(&field.as_str()) && !NOT_IN_INIT.contains(&field.as_str()),
    };
    let mut errors: FieldErrors = set
        .iter()
        .filter(refused)
        .map(|field| FieldErrors::disallowed([field]))
        .collect();
    if scope.role == Role::Init {
        let forbidden = set
            .iter()
            .filter(|field| NOT_IN_INIT.contains(&field.as_str()));
        errors.also(
            forbidden
                .map(|field| FieldErrors::new("field not allowed in an init container", [field]))
                .collect(),
        );
    }
    errors
}

fn identity(container: &Container) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if container.name == RESERVED_NAME {
        let text = format!("{RESERVED_NAME:?} is a reserved container name");
        errors.also(FieldErrors::new(text, ["name"]));
    }
    let image = container.image.as_deref().unwrap_or_default();
    if image.is_empty() {
        errors.also(FieldErrors::missing(["image"]));
    } else if let Err(error) = Reference::parse(image) {
        errors.also(
            FieldErrors::new("Failed to parse image reference", ["image"])
                .details(format!("image: {image:?}, error: {error}")),
        );
    }
    errors
}

/// Fields that hold one of a few words.
fn words(container: &Container) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (field, value, known) in [
        (
            "imagePullPolicy",
            &container.image_pull_policy,
            &["Always", "IfNotPresent", "Never"][..],
        ),
        (
            "terminationMessagePolicy",
            &container.termination_message_policy,
            &["File", "FallbackToLogsOnError"][..],
        ),
    ] {
        let value = value.as_deref().unwrap_or_default();
        if !value.is_empty() && !known.contains(&value) {
            errors.also(FieldErrors::invalid(value, field));
        }
    }
    errors
}

fn has_port(container: &Container) -> bool {
    container
        .ports
        .as_ref()
        .is_some_and(|ports| !ports.is_empty())
}

fn port_count(containers: &[Container]) -> FieldErrors {
    let path = ["containers[*].ports"];
    match containers
        .iter()
        .flat_map(|container| &container.ports)
        .flatten()
        .count()
    {
        0 if containers.len() > 1 => FieldErrors::missing(path),
        0 | 1 => FieldErrors::none(),
        _ => FieldErrors::new("more than one container port is set", path)
            .details("Only a single port is allowed across all containers"),
    }
}

fn port(port: &ContainerPort) -> FieldErrors {
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
        errors.also(FieldErrors::out_of_bounds(
            number,
            0,
            MOST_PORT,
            "containerPort",
        ));
    }
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
