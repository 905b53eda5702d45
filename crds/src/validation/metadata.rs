//! Rules of names, labels and annotations (contract/control-plane 1.3).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::FieldErrors;
use super::names::{dns1035, dns1035_prefix, listed};
use crate::duration::Nanos;
use crate::name::{autoscaling, serving};

/// Both spellings of the annotation for gradual rollouts.
const ROLLOUT_DURATION: [&str; 2] = [
    serving::ROLLOUT_DURATION,
    "serving.knative.dev/rolloutDuration",
];

/// Metadata of a Service, Configuration or Route.
pub(super) fn of_parent(meta: &ObjectMeta) -> FieldErrors {
    let mut errors = name(meta);
    let annotations = meta.annotations.iter().flatten();
    let misplaced = annotations.filter(|(key, _)| key.starts_with(autoscaling::GROUP));
    errors.also(
        misplaced
            .map(|(key, _)| {
                FieldErrors::invalid_key(key, "annotations").details(
                    "autoscaling annotations must be put under \"spec.template.metadata.annotations\" to work",
                )
            })
            .collect(),
    );
    errors
}

/// The name must be a DNS label; only the first fault is told.
pub(super) fn name(meta: &ObjectMeta) -> FieldErrors {
    let prefix = meta.generate_name.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    if name.is_empty() && prefix.is_empty() {
        return FieldErrors::new("name or generateName is required", ["name"]);
    }
    let mut errors = FieldErrors::none();
    if !prefix.is_empty() {
        let faults = dns1035_prefix(prefix);
        errors = refused("not a DNS 1035 label prefix", &faults, "generateName");
    }
    if errors.is_empty() && !name.is_empty() {
        errors = refused("not a DNS 1035 label", &dns1035(name), "name");
    }
    errors
}

fn refused(words: &str, faults: &[String], path: &'static str) -> FieldErrors {
    if faults.is_empty() {
        return FieldErrors::none();
    }
    FieldErrors::new(format!("{words}: {}", listed(faults)), [path])
}

/// How long a gradual rollout takes; paths are the keys.
pub(super) fn rollout_duration(meta: &ObjectMeta) -> FieldErrors {
    let Some(annotations) = &meta.annotations else {
        return FieldErrors::none();
    };
    seconds(annotations, &ROLLOUT_DURATION, "rollout-duration")
}

/// An annotation that is a time in whole seconds, not below zero. Empty counts as absent.
pub(super) fn seconds(
    annotations: &BTreeMap<String, String>,
    keys: &[&'static str],
    name: &str,
) -> FieldErrors {
    let mut found = keys
        .iter()
        .filter_map(|key| Some((*key, annotations.get(*key)?)));
    let Some((key, value)) = found.next().filter(|(_, value)| !value.is_empty()) else {
        return FieldErrors::none();
    };
    match value.parse::<Nanos>() {
        Err(_) => FieldErrors::invalid(value, key),
        Ok(time) if !time.is_whole_seconds() => {
            FieldErrors::new(format!("{name}={value} is not at second precision"), [key])
        }
        Ok(time) if time < Nanos(0) => {
            FieldErrors::new(format!("{name}={value} must be positive"), [key])
        }
        Ok(_) => FieldErrors::none(),
    }
}

/// An object that says whom it belongs to must have the owner.
pub(super) fn owner_label(meta: &ObjectMeta, label: &'static str, kind: &str) -> FieldErrors {
    let Some(name) = meta.labels.as_ref().and_then(|labels| labels.get(label)) else {
        return FieldErrors::none();
    };
    let mut owners = meta.owner_references.iter().flatten();
    if owners.any(|owner| owner.kind == kind && owner.name == *name) {
        return FieldErrors::none();
    }
    FieldErrors::missing([label]).at("metadata.labels")
}

/// Who made an object never changes; who changed it, only with the spec.
pub(super) fn signatures(
    new: &ObjectMeta,
    old: &ObjectMeta,
    spec_changed: impl FnOnce() -> bool,
) -> FieldErrors {
    let value = |meta: &ObjectMeta, key: &str| {
        let annotations = meta.annotations.as_ref();
        let value = annotations.and_then(|all| all.get(key)).cloned();
        value.unwrap_or_default()
    };
    let mut errors = FieldErrors::none();
    if value(new, serving::CREATOR) != value(old, serving::CREATOR) {
        errors.also(FieldErrors::new(
            "annotation value is immutable",
            [serving::CREATOR],
        ));
    }
    let modifier = value(new, serving::LAST_MODIFIER);
    if modifier != value(old, serving::LAST_MODIFIER) && !spec_changed() {
        errors.also(FieldErrors::invalid(modifier, serving::LAST_MODIFIER));
    }
    errors.at("metadata.annotations")
}

/// Whether somebody owns the object.
pub(super) fn is_owned(meta: &ObjectMeta) -> bool {
    meta.owner_references
        .as_ref()
        .is_some_and(|owners| !owners.is_empty())
}
