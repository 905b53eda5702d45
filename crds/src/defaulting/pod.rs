//! Defaults of a revision's spec (contract/control-plane 1.5).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::container;
use crate::config::{DefaultsConfig, SecurePodDefaults, Settings};
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
    if moment == Moment::Create && spec.pod.enable_service_links.is_none() {
        spec.pod.enable_service_links = defaults.enable_service_links;
    }
    let writable = writable_volumes(&spec.pod);
    let alone = spec.pod.containers.len() == 1;
    for each in &mut spec.pod.containers {
        container::default_resources(each, defaults);
        let serves = alone || each.ports.as_ref().is_some_and(|ports| !ports.is_empty());
        container::default_probes(each, serves);
        container::default_mounts(each, &writable);
    }
    for each in spec.pod.init_containers.iter_mut().flatten() {
        container::default_resources(each, defaults);
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
    let mut used: BTreeSet<String> = all
        .map(|c| c.name.clone())
        .filter(|name| !name.is_empty())
        .collect();
    let name = rendered(&defaults.container_name_template, parent, "user-container");
    name_list(&mut pod.containers, &name, &mut used);
    let name = rendered(
        &defaults.init_container_name_template,
        parent,
        "init-container",
    );
    name_list(
        pod.init_containers.as_mut().unwrap_or(&mut Vec::new()),
        &name,
        &mut used,
    );
}

fn name_list(containers: &mut [Container], name: &str, used: &mut BTreeSet<String>) {
    let alone = containers.len() == 1;
    for container in containers
        .iter_mut()
        .filter(|container| container.name.is_empty())
    {
        let mut free = (0..).map(|index| format!("{name}-{index}"));
        let plain = (alone && !used.contains(name)).then(|| name.to_owned());
        let chosen = plain
            .or_else(|| free.find(|name| !used.contains(name)))
            .unwrap_or_default();
        used.insert(chosen.clone());
        container.name = chosen;
    }
}

/// The name that the template makes of the parent; the plain one where it can't be rendered.
fn rendered(template: &Template, parent: &ObjectMeta, plain: &str) -> String {
    let empty = BTreeMap::new();
    let context = Context {
        fields: BTreeMap::from([
            ("Name", parent.name.as_deref().unwrap_or_default()),
            ("Namespace", parent.namespace.as_deref().unwrap_or_default()),
        ]),
        maps: BTreeMap::from([
            ("Labels", parent.labels.as_ref().unwrap_or(&empty)),
            ("Annotations", parent.annotations.as_ref().unwrap_or(&empty)),
        ]),
    };
    template
        .render(&context)
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
    let pod_has = container::PodSecurity {
        seccomp: context.seccomp_profile.is_some(),
        non_root: context.run_as_non_root.is_some(),
    };
    let init = pod.init_containers.iter_mut().flatten();
    for each in pod.containers.iter_mut().chain(init) {
        container::default_security(each, &pod_has, wanted);
    }
}
