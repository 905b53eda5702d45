//! Rules of volume mounts (contract/control-plane 1.5).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Volume, VolumeMount};

use super::container::Scope;
use super::{FieldErrors, fields};
use crate::config::Flag;

const ALLOWED: [&str; 5] = [
    "mountPath",
    "mountPropagation",
    "name",
    "readOnly",
    "subPath",
];
const RESERVED: [&str; 3] = ["/", "/dev", "/dev/log"];

pub(super) fn validate(container: &Container, scope: &Scope<'_>) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let mut paths = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let mut of_mount = fields::only(mount, &ALLOWED);
        of_mount.also(path(mount, &mut paths));
        match scope.volumes.get(mount.name.as_str()) {
            Some(volume) => of_mount.also(access(mount, volume)),
            None => {
                of_mount.also(FieldErrors::new(
                    "volumeMount has no matching volume",
                    ["name"],
                ));
            }
        }
        let flag = scope
            .ctx
            .settings
            .features
            .kubernetes_podspec_volumes_mount_propagation;
        of_mount.also(propagation(mount, flag));
        errors.also(of_mount.at_index("volumeMounts", index));
    }
    errors
}

fn path(mount: &VolumeMount, paths: &mut BTreeSet<String>) -> FieldErrors {
    let path = mount.mount_path.as_str();
    if path.is_empty() {
        return FieldErrors::missing(["mountPath"]);
    }
    if !path.starts_with('/') {
        return FieldErrors::invalid(path, "mountPath");
    }
    let clean = cleaned(path);
    if RESERVED.contains(&clean.as_str()) {
        let text = format!("mountPath {clean:?} is a reserved path");
        return FieldErrors::new(text, ["mountPath"]);
    }
    let text = format!("{path:?} must be unique");
    if paths.insert(clean) {
        return FieldErrors::none();
    }
    FieldErrors::new(text, ["mountPath"])
}

/// An absolute path without empty parts, `.` and `..`.
fn cleaned(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn access(mount: &VolumeMount, volume: &Volume) -> FieldErrors {
    let writes = mount.read_only != Some(true);
    let writable = volume.empty_dir.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.ephemeral.is_some();
    if writes && !writable {
        let text = "volume mount should be readOnly for this type of volume";
        return FieldErrors::new(text, ["readOnly"]);
    }
    let claim = volume.persistent_volume_claim.as_ref();
    if writes && claim.is_some_and(|claim| claim.read_only == Some(true)) {
        return FieldErrors::new("volume is readOnly but volume mount is not", ["readOnly"]);
    }
    FieldErrors::none()
}

fn propagation(mount: &VolumeMount, flag: Flag) -> FieldErrors {
    let Some(wanted) = mount.mount_propagation.as_deref() else {
        return FieldErrors::none();
    };
    if !flag.is_on() {
        return FieldErrors::new(
            format!(
                "Volume Mount Propagation support is disabled, but found volume mount {} with mount propagation",
                mount.name
            ),
            ["mountPropagation"],
        );
    }
    match wanted {
        "None" | "HostToContainer" => FieldErrors::none(),
        other => FieldErrors::invalid(other, "mountPropagation"),
    }
}
