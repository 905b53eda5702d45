//! Rules of volumes (contract/control-plane 1.5).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, ImageVolumeSource, PodSpec, Volume};

use super::names::dns1123;
use super::text::quoted;
use super::{FieldErrors, fields, projection};
use crate::config::{FeaturesConfig, Flag};

/// Sources that every pod may have.
const SOURCES: [&str; 3] = ["secret", "configMap", "projected"];

/// Sources that a feature flag allows: field, kind, flag.
fn gated(features: &FeaturesConfig) -> [(&'static str, &'static str, Flag); 6] {
    [
        (
            "emptyDir",
            "EmptyDir",
            features.kubernetes_podspec_volumes_emptydir,
        ),
        (
            "persistentVolumeClaim",
            "",
            features.kubernetes_podspec_persistent_volume_claim,
        ),
        (
            "hostPath",
            "HostPath",
            features.kubernetes_podspec_volumes_hostpath,
        ),
        ("csi", "CSI", features.kubernetes_podspec_volumes_csi),
        (
            "ephemeral",
            "Ephemeral",
            features.kubernetes_podspec_volumes_ephemeral,
        ),
        ("image", "Image", features.kubernetes_podspec_volumes_image),
    ]
}

/// What is wrong with the volumes, and the volumes by name.
pub(super) fn validate<'a>(
    pod: &'a PodSpec,
    features: &FeaturesConfig,
) -> (FieldErrors, BTreeMap<&'a str, &'a Volume>) {
    let mounted = mounted(pod);
    let mut errors = FieldErrors::none();
    let mut known = BTreeMap::new();
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        let name = volume.name.as_str();
        let mut of_volume = FieldErrors::none();
        if known.insert(name, volume).is_some() {
            let text = format!("duplicate volume name {}", quoted(name));
            of_volume.also(FieldErrors::new(text, ["name"]));
        }
        if !mounted.contains(name) {
            let text = format!("volume with name {} not mounted", quoted(name));
            of_volume.also(FieldErrors::new(text, ["name"]));
        }
        of_volume.also(self::volume(volume, features));
        errors.also(of_volume.at_index("volumes", index));
    }
    (errors, known)
}

fn mounted(pod: &PodSpec) -> BTreeSet<&str> {
    let init = pod.init_containers.iter().flatten();
    let containers = pod.containers.iter().chain(init);
    let mounts = containers.flat_map(|container| &container.volume_mounts);
    mounts.flatten().map(|mount| mount.name.as_str()).collect()
}

/// A bad name hides which features are off.
fn volume(volume: &Volume, features: &FeaturesConfig) -> FieldErrors {
    let gated = gated(features);
    let set = fields::set(volume);
    let mut errors = if volume.name.is_empty() {
        FieldErrors::missing(["name"])
    } else if !dns1123(&volume.name).is_empty() {
        FieldErrors::invalid(&volume.name, "name")
    } else {
        flags(volume, &set, features)
    };
    let allowed = gated.iter().filter(|(_, _, flag)| flag.is_on());
    let allowed: Vec<&str> = SOURCES
        .into_iter()
        .chain(allowed.map(|(field, _, _)| *field))
        .chain(["name"])
        .collect();
    let refused = set.iter().filter(|field| !allowed.contains(field));
    errors.also(
        refused
            .map(|field| FieldErrors::disallowed([*field]))
            .collect(),
    );
    errors.also(one_source(&set, features));
    errors.also(contents(volume));
    errors
}

fn one_source(set: &[&str], features: &FeaturesConfig) -> FieldErrors {
    let gated = gated(features);
    let known = SOURCES.into_iter().chain(gated.map(|(field, _, _)| field));
    let chosen: Vec<&str> = known.filter(|field| set.contains(field)).collect();
    match chosen.len() {
        0 => {
            let enabled = gated
                .into_iter()
                .filter(|(_, _, flag)| *flag == Flag::Enabled);
            FieldErrors::neither(
                SOURCES
                    .into_iter()
                    .chain(enabled.map(|(field, _, _)| field)),
            )
        }
        1 => FieldErrors::none(),
        _ => FieldErrors::both(chosen),
    }
}

fn contents(volume: &Volume) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if let Some(secret) = &volume.secret {
        errors.also(projection::items(secret.items.as_deref()));
    }
    if let Some(config_map) = &volume.config_map {
        errors.also(projection::items(config_map.items.as_deref()));
    }
    if let Some(projected) = &volume.projected {
        errors.also(projection::sources(projected));
    }
    if let Some(dir) = &volume.empty_dir {
        errors.also(empty_dir(dir).at("emptyDir"));
    }
    if let Some(image) = &volume.image {
        errors.also(self::image(image).at("image"));
    }
    errors
}

fn empty_dir(dir: &EmptyDirVolumeSource) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let medium = dir.medium.as_deref().unwrap_or_default();
    if !matches!(medium, "" | "Memory") {
        errors.also(FieldErrors::invalid(medium, "medium"));
    }
    let size = dir.size_limit.as_ref().map(|size| size.0.as_str());
    if let Some(size) = size.filter(|size| size.starts_with('-')) {
        errors.also(FieldErrors::invalid(size, "sizeLimit"));
    }
    errors
}

fn image(image: &ImageVolumeSource) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if image.reference.as_deref().unwrap_or_default().is_empty() {
        errors.also(FieldErrors::missing(["reference"]));
    }
    let policy = image.pull_policy.as_deref().unwrap_or_default();
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        errors.also(FieldErrors::invalid(policy, "pullPolicy"));
    }
    errors
}

/// Features that are off.
fn flags(volume: &Volume, set: &[&str], features: &FeaturesConfig) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (field, kind, flag) in gated(features) {
        let used = !kind.is_empty() && set.contains(&field);
        if used && flag != Flag::Enabled {
            errors.also(FieldErrors::plain(format!(
                "{kind} volume support is disabled, but found {kind} volume {}",
                volume.name
            )));
        }
    }
    let Some(claim) = &volume.persistent_volume_claim else {
        return errors;
    };
    let name = &claim.claim_name;
    if features.kubernetes_podspec_persistent_volume_claim != Flag::Enabled {
        errors.also(FieldErrors::plain(format!(
            "Persistent volume claim support is disabled, but found persistent volume claim {name}"
        )));
    }
    let writes = claim.read_only != Some(true);
    if writes && features.kubernetes_podspec_persistent_volume_write != Flag::Enabled {
        errors.also(FieldErrors::plain(format!(
            "Persistent volume write support is disabled, but found persistent volume claim {name} that is not read-only"
        )));
    }
    errors
}
