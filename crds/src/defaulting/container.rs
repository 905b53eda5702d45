//! Defaults of one container (contract/control-plane 1.5).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Capabilities, Container, Probe, ResourceRequirements, SeccompProfile, SecurityContext,
    TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::config::{DefaultsConfig, SecurePodDefaults};
use crate::quantity;

const FIRST_FREE_PORT: i32 = 1024;

/// What the pod says for all its containers.
pub(super) struct PodSecurity {
    pub(super) seccomp: bool,
    pub(super) non_root: bool,
}

pub(super) fn default_resources(container: &mut Container, defaults: &DefaultsConfig) {
    let resources = container
        .resources
        .get_or_insert_with(ResourceRequirements::default);
    fill(
        &mut resources.requests,
        [
            ("cpu", &defaults.revision_cpu_request),
            ("memory", &defaults.revision_memory_request),
            (
                "ephemeral-storage",
                &defaults.revision_ephemeral_storage_request,
            ),
        ],
    );
    fill(
        &mut resources.limits,
        [
            ("cpu", &defaults.revision_cpu_limit),
            ("memory", &defaults.revision_memory_limit),
            (
                "ephemeral-storage",
                &defaults.revision_ephemeral_storage_limit,
            ),
        ],
    );
}

fn fill(
    amounts: &mut Option<BTreeMap<String, Quantity>>,
    defaults: [(&str, &Option<Quantity>); 3],
) {
    for (resource, default) in defaults {
        let Some(default) = default else { continue };
        let canonical =
            || quantity::canonical(&default.0).map_or_else(|| default.clone(), Quantity);
        let amounts = amounts.get_or_insert_default();
        amounts.entry(resource.to_owned()).or_insert_with(canonical);
    }
}

/// A container that serves is always probed: where its author says nothing, on its TCP port.
pub(super) fn default_probes(container: &mut Container, serves: bool) {
    if serves {
        let probe = container.readiness_probe.get_or_insert_with(Probe::default);
        if !has_handler(probe) {
            probe.tcp_socket = Some(TCPSocketAction::default());
        }
    }
    if let Some(probe) = &mut container.readiness_probe {
        positive(&mut probe.success_threshold, 1);
        if probe.period_seconds.unwrap_or(0) != 0 {
            positive(&mut probe.failure_threshold, 3);
            positive(&mut probe.timeout_seconds, 1);
        }
    }
    let probes = [
        &mut container.readiness_probe,
        &mut container.liveness_probe,
        &mut container.startup_probe,
    ];
    for grpc in probes
        .into_iter()
        .flatten()
        .filter_map(|probe| probe.grpc.as_mut())
    {
        grpc.service.get_or_insert_default();
    }
}

fn has_handler(probe: &Probe) -> bool {
    probe.exec.is_some()
        || probe.grpc.is_some()
        || probe.http_get.is_some()
        || probe.tcp_socket.is_some()
}

fn positive(number: &mut Option<i32>, default: i32) {
    if number.unwrap_or(0) == 0 {
        *number = Some(default);
    }
}

pub(super) fn default_mounts(container: &mut Container, writable: &BTreeSet<String>) {
    for mount in container.volume_mounts.iter_mut().flatten() {
        if !writable.contains(&mount.name) {
            mount.read_only = Some(true);
        }
    }
}

pub(super) fn default_security(
    container: &mut Container,
    pod: &PodSecurity,
    wanted: SecurePodDefaults,
) {
    let low_port = container
        .ports
        .iter()
        .flatten()
        .any(|port| port.container_port < FIRST_FREE_PORT);
    let context = container
        .security_context
        .get_or_insert_with(SecurityContext::default);
    context.allow_privilege_escalation.get_or_insert(false);
    if !pod.seccomp {
        let profile = context
            .seccomp_profile
            .get_or_insert_with(SeccompProfile::default);
        if profile.type_.is_empty() {
            "RuntimeDefault".clone_into(&mut profile.type_);
        }
    }
    if context.capabilities.is_none() {
        let add = low_port.then(|| vec!["NET_BIND_SERVICE".to_owned()]);
        context.capabilities = Some(Capabilities {
            add,
            drop: Some(vec!["ALL".to_owned()]),
        });
    }
    if wanted == SecurePodDefaults::Enabled && !pod.non_root {
        context.run_as_non_root.get_or_insert(true);
    }
}
