//! Rules of volumes (contract/control-plane 1.5).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, ProjectedVolumeSource, Volume};

use super::names::{dns1123, listed};
use super::{FieldErrors, fields};
use crate::config::FeaturesConfig;

const SOURCES: [&str; 9] = [
    "secret",
    "configMap",
    "projected",
    "emptyDir",
    "persistentVolumeClaim",
    "hostPath",
    "csi",
    "ephemeral",
    "image",
];
const PROJECTIONS: [&str; 4] = ["secret", "configMap", "serviceAccountToken", "downwardAPI"];

/// What is wrong with the volumes, and the volumes by name.
pub(super) fn validate<'a>(
    pod: &'a PodSpec,
    features: &FeaturesConfig,
) -> (FieldErrors, BTreeMap<&'a str, &'a Volume>) {
    let mut errors = FieldErrors::none();
    let mut known = BTreeMap::new();
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        let mut of_volume = name(volume);
        if known.insert(volume.name.as_str(), volume).is_some() {
            let text = format!("duplicate volume name {:?}", volume.name);
            of_volume.also(FieldErrors::new(text, ["name"]));
        }
        if !is_mounted(pod, &volume.name) {
            let text = format!("volume with name {:?} not mounted", volume.name);
            of_volume.also(FieldErrors::new(text, ["name"]));
        }
        of_volume.also(source(volume));
        of_volume.also(flags(volume, features));
        errors.also(of_volume.at_index("volumes", index));
    }
    (errors, known)
}

fn name(volume: &Volume) -> FieldErrors {
    if volume.name.is_empty() {
        return FieldErrors::missing(["name"]);
    }
    let faults = dns1123(&volume.name);
    if faults.is_empty() {
        return FieldErrors::none();
    }
    FieldErrors::invalid(&volume.name, "name").details(listed(&faults))
}

fn is_mounted(pod: &PodSpec, volume: &str) -> bool {
    let inits = pod.init_containers.iter().flatten();
    let containers = pod.containers.iter().chain(inits);
    containers
        .flat_map(|container| &container.volume_mounts)
        .flatten()
        .any(|m| m.name == volume)
}

fn source(volume: &Volume) -> FieldErrors {
    let known: Vec<&str> = SOURCES.into_iter().chain(["name"]).collect();
    let mut errors = fields::only(volume, &known);
    errors.also(fields::exactly_one(volume, &SOURCES));
    if let Some(secret) = &volume.secret
        && secret.secret_name.as_deref().unwrap_or_default().is_empty()
    {
        errors.also(FieldErrors::missing(["secret.secretName"]));
    }
    if let Some(config_map) = &volume.config_map
        && config_map.name.is_empty()
    {
        errors.also(FieldErrors::missing(["configMap.name"]));
    }
    if let Some(projected) = &volume.projected {
        errors.also(projections(projected).at("projected"));
    }
    let medium = volume
        .empty_dir
        .as_ref()
        .and_then(|dir| dir.medium.as_deref());
    if let Some(medium) = medium.filter(|medium| !matches!(*medium, "" | "Memory")) {
        errors.also(FieldErrors::invalid(medium, "emptyDir.medium"));
    }
    errors
}

fn projections(projected: &ProjectedVolumeSource) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (index, projection) in projected.sources.iter().flatten().enumerate() {
        let mut of_projection = fields::only(projection, &PROJECTIONS);
        of_projection.also(fields::exactly_one(projection, &PROJECTIONS));
        for (field, name) in [
            (
                "secret.name",
                projection.secret.as_ref().map(|secret| &secret.name),
            ),
            (
                "configMap.name",
                projection.config_map.as_ref().map(|map| &map.name),
            ),
            (
                "serviceAccountToken.path",
                projection
                    .service_account_token
                    .as_ref()
                    .map(|token| &token.path),
            ),
        ] {
            if name.is_some_and(String::is_empty) {
                of_projection.also(FieldErrors::missing([field]));
            }
        }
        errors.also(of_projection.at_index("sources", index));
    }
    errors
}

fn flags(volume: &Volume, features: &FeaturesConfig) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (kind, set, flag) in [
        (
            "EmptyDir",
            volume.empty_dir.is_some(),
            features.kubernetes_podspec_volumes_emptydir,
        ),
        (
            "HostPath",
            volume.host_path.is_some(),
            features.kubernetes_podspec_volumes_hostpath,
        ),
        (
            "CSI",
            volume.csi.is_some(),
            features.kubernetes_podspec_volumes_csi,
        ),
        (
            "Ephemeral",
            volume.ephemeral.is_some(),
            features.kubernetes_podspec_volumes_ephemeral,
        ),
        (
            "Image",
            volume.image.is_some(),
            features.kubernetes_podspec_volumes_image,
        ),
    ] {
        if set && !flag.is_on() {
            errors.also(FieldErrors::new(
                format!(
                    "{kind} volume support is disabled, but found {kind} volume {}",
                    volume.name
                ),
                [""],
            ));
        }
    }
    errors.also(claim(volume, features));
    errors
}

fn claim(volume: &Volume, features: &FeaturesConfig) -> FieldErrors {
    let Some(claim) = &volume.persistent_volume_claim else {
        return FieldErrors::none();
    };
    let mut errors = FieldErrors::none();
    let name = &claim.claim_name;
    if !features.kubernetes_podspec_persistent_volume_claim.is_on() {
        errors.also(FieldErrors::new(
            format!(
                "Persistent volume claim support is disabled, but found persistent volume claim {name}"
            ),
            [""],
        ));
    }
    if !features.kubernetes_podspec_persistent_volume_write.is_on() && claim.read_only != Some(true)
    {
        errors.also(FieldErrors::new(
            format!(
                "Persistent volume write support is disabled, but found persistent volume claim {name} that is not read-only"
            ),
            [""],
        ));
    }
    errors
}
