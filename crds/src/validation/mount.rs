//! Rules of volume mounts (contract/control-plane 1.5).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Volume, VolumeMount};

use super::container::Scope;
use super::text::quoted;
use super::{FieldErrors, fields};
use crate::config::Flag;

const ALLOWED: [&str; 4] = ["mountPath", "name", "readOnly", "subPath"];
const PROPAGATION: &str = "mountPropagation";
const RESERVED: [&str; 3] = ["/", "/dev", "/dev/log"];

pub(super) fn validate(container: &Container, scope: &Scope<'_>) -> FieldErrors {
    let features = &scope.ctx.settings.features;
    let flag = features.kubernetes_podspec_volumes_mount_propagation;
    let mut allowed = ALLOWED.to_vec();
    if flag.is_on() {
        allowed.push(PROPAGATION);
    }
    let mut errors = FieldErrors::none();
    let mut paths = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let volume = scope.volumes.get(mount.name.as_str()).copied();
        let mut of_mount = fields::only(mount, &allowed);
        of_mount.also(path(mount, &mut paths));
        of_mount.also(access(mount, volume));
        of_mount.also(propagation(mount, flag));
        errors.also(of_mount.at_index("volumeMounts", index));
    }
    errors
}

fn path(mount: &VolumeMount, paths: &mut BTreeSet<String>) -> FieldErrors {
    let path = mount.mount_path.as_str();
    let clean = cleaned(path);
    let reserved = RESERVED.contains(&clean.as_str());
    let unique = paths.insert(clean);
    if path.is_empty() {
        return FieldErrors::missing(["mountPath"]);
    }
    if reserved {
        let text = format!("mountPath {} is a reserved path", quoted(&cleaned(path)));
        return FieldErrors::new(text, ["mountPath"]);
    }
    if !path.starts_with('/') {
        return FieldErrors::invalid(path, "mountPath");
    }
    if !unique {
        let text = format!("{} must be unique", quoted(path));
        return FieldErrors::invalid(text, "mountPath");
    }
    FieldErrors::none()
}

/// The path without empty parts and `.`; `..` takes the part before it away.
fn cleaned(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            part => parts.push(part),
        }
    }
    format!("{root}{}", parts.join("/"))
}

fn access(mount: &VolumeMount, volume: Option<&Volume>) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if volume.is_none() {
        let text = "volumeMount has no matching volume";
        errors.also(FieldErrors::new(text, ["name"]));
    }
    if mount.read_only == Some(true) {
        return errors;
    }
    let claim = volume.and_then(|volume| volume.persistent_volume_claim.as_ref());
    let writable = claim.is_some()
        || volume.is_some_and(|volume| volume.empty_dir.is_some() || volume.ephemeral.is_some());
    if !writable {
        let text = "volume mount should be readOnly for this type of volume";
        errors.also(FieldErrors::new(text, ["readOnly"]));
    }
    if claim.is_some_and(|claim| claim.read_only == Some(true)) {
        let text = "volume is readOnly but volume mount is not";
        errors.also(FieldErrors::new(text, ["readOnly"]));
    }
    errors
}

fn propagation(mount: &VolumeMount, flag: Flag) -> FieldErrors {
    let Some(wanted) = mount.mount_propagation.as_deref() else {
        return FieldErrors::none();
    };
    let mut errors = FieldErrors::none();
    if flag != Flag::Enabled {
        errors.also(FieldErrors::plain(format!(
            "Volume Mount Propagation support is disabled, but found volume mount {} with mount propagation",
            mount.name
        )));
    }
    if !matches!(wanted, "None" | "HostToContainer") {
        let text = "mount propagation should be set to None or HostToContainer";
        errors.also(FieldErrors::new(text, [PROPAGATION]));
    }
    errors
}
