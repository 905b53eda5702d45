//! Defaults of a revision's spec (contract/control-plane 1.5).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::container;
use crate::config::{DefaultsConfig, SecurePodDefaults, Settings};
use crate::name::child;
use crate::revision::RevisionSpec;
use crate::template::{Context, Template};

/// When the spec is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Create,
    Update,
}

pub(super) fn default_spec(
    spec: &mut RevisionSpec,
    parent: &ObjectMeta,
    moment: Moment,
    settings: &Settings,
) {
    let defaults = &settings.defaults;
    default_limits(spec, defaults);
    name_containers(&mut spec.pod, parent, defaults);
    let links = &mut spec.pod.enable_service_links;
    if moment == Moment::Create && links.is_none() && !spec.pod.containers.is_empty() {
        *links = defaults.enable_service_links;
    }
    let writable = writable_volumes(&spec.pod);
    let alone = spec.pod.containers.len() == 1;
    for each in &mut spec.pod.containers {
        container::default_resources(each, defaults);
        let serves = alone || each.ports.as_ref().is_some_and(|ports| !ports.is_empty());
        container::default_probes(each, serves);
        container::default_mounts(each, &writable);
    }
    default_security(&mut spec.pod, settings.features.secure_pod_defaults);
}

fn default_limits(spec: &mut RevisionSpec, defaults: &DefaultsConfig) {
    if spec.timeout_seconds.unwrap_or(0) == 0 {
        spec.timeout_seconds = Some(defaults.revision_timeout_seconds);
    }
    let timeout = spec.timeout_seconds.unwrap_or(0);
    let shorter = |seconds: i64| (seconds != 0 && seconds < timeout).then_some(seconds);
    if spec.response_start_timeout_seconds.is_none() {
        spec.response_start_timeout_seconds =
            shorter(defaults.revision_response_start_timeout_seconds);
    }
    if spec.idle_timeout_seconds.is_none() {
        spec.idle_timeout_seconds = shorter(defaults.revision_idle_timeout_seconds);
    }
    spec.container_concurrency
        .get_or_insert(defaults.container_concurrency);
}

fn name_containers(pod: &mut PodSpec, parent: &ObjectMeta, defaults: &DefaultsConfig) {
    let init = pod.init_containers.iter().flatten();
    let all = pod.containers.iter().chain(init);
    let used: BTreeSet<String> = all.map(|container| container.name.clone()).collect();
    let name = rendered(&defaults.container_name_template, parent, "user-container");
    name_list(&mut pod.containers, &name, &used);
    let template = &defaults.init_container_name_template;
    let name = rendered(template, parent, "init-container");
    let init = pod.init_containers.as_deref_mut().unwrap_or_default();
    name_list(init, &name, &used);
}

/// The only container gets the plain name; several, or one whose name is taken, get a number.
fn name_list(containers: &mut [Container], name: &str, used: &BTreeSet<String>) {
    let plain = containers.len() == 1 && !used.contains(name);
    let mut numbered = (0..).map(|number| child(name, &format!("-{number}")));
    for container in containers.iter_mut().filter(|c| c.name.is_empty()) {
        let free = numbered.by_ref().find(|name| !used.contains(name));
        container.name = match free {
            Some(free) if !plain => free,
            _ => name.to_owned(),
        };
    }
}

/// The name that the template makes of the parent; the plain one where it can't be rendered.
fn rendered(template: &Template, parent: &ObjectMeta, plain: &str) -> String {
    template
        .render(&Context::from(parent))
        .unwrap_or_else(|_| plain.to_owned())
}

/// Volumes that a container may write to; all other mounts are read-only.
fn writable_volumes(pod: &PodSpec) -> BTreeSet<String> {
    let volumes = pod.volumes.iter().flatten().filter(|volume| {
        volume.empty_dir.is_some()
            || volume.persistent_volume_claim.is_some()
            || volume.ephemeral.is_some()
    });
    volumes.map(|volume| volume.name.clone()).collect()
}

fn default_security(pod: &mut PodSpec, wanted: SecurePodDefaults) {
    if wanted == SecurePodDefaults::Disabled {
        return;
    }
    let context = pod.security_context.clone().unwrap_or_default();
    let seccomp = context.seccomp_profile.as_ref();
    let pod_has = container::PodSecurity {
        seccomp: seccomp.is_some_and(|profile| !profile.type_.is_empty()),
        non_root: context.run_as_non_root.is_some(),
    };
    let init = pod.init_containers.iter_mut().flatten();
    for each in pod.containers.iter_mut().chain(init) {
        container::default_security(each, &pod_has, wanted);
    }
}
