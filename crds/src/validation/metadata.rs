//! Rules of names, labels and annotations (contract/control-plane 1.3).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::names::{dns1035, listed};
use super::{FieldErrors, names};
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
    if let Some(annotations) = &meta.annotations {
        errors.also(rollout_duration(annotations).at("annotations"));
    }
    errors
}

/// The name must be a DNS label; only the first fault is told.
pub(super) fn name(meta: &ObjectMeta) -> FieldErrors {
    let set = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    if let Some(name) = set(&meta.name) {
        return refused("not a DNS 1035 label", &dns1035(&name), "name");
    }
    if let Some(prefix) = set(&meta.generate_name) {
        let masked = match prefix.strip_suffix('-') {
            Some(prefix) => format!("{prefix}a"),
            None => prefix,
        };
        return refused(
            "not a DNS 1035 label prefix",
            &dns1035(&masked),
            "generateName",
        );
    }
    FieldErrors::new("name or generateName is required", ["name"])
}

fn refused(words: &str, faults: &[String], path: &str) -> FieldErrors {
    if faults.is_empty() {
        return FieldErrors::none();
    }
    FieldErrors::new(format!("{words}: {}", listed(faults)), [path])
}

fn rollout_duration(annotations: &BTreeMap<String, String>) -> FieldErrors {
    let found = ROLLOUT_DURATION
        .into_iter()
        .find_map(|key| Some((key, annotations.get(key)?)));
    let Some((key, value)) = found.filter(|(_, value)| !value.is_empty()) else {
        return FieldErrors::none();
    };
    match value.parse::<Nanos>() {
        Err(_) => FieldErrors::invalid(value, key),
        Ok(time) if !time.is_whole_seconds() => FieldErrors::new(
            format!("rollout-duration={value} is not at second precision"),
            [key],
        ),
        Ok(time) if time < Nanos(0) => {
            FieldErrors::new(format!("rollout-duration={value} must be positive"), [key])
        }
        Ok(_) => FieldErrors::none(),
    }
}

/// An object that says whom it belongs to must have the owner.
pub(super) fn owner_label(meta: &ObjectMeta, label: &str, kind: &str) -> FieldErrors {
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
pub(super) fn signatures(new: &ObjectMeta, old: &ObjectMeta, spec_changed: bool) -> FieldErrors {
    let value = |meta: &ObjectMeta, key: &str| {
        meta.annotations
            .as_ref()
            .and_then(|all| all.get(key))
            .cloned()
            .unwrap_or_default()
    };
    let mut errors = FieldErrors::none();
    if value(new, serving::CREATOR) != value(old, serving::CREATOR) {
        errors.also(FieldErrors::new(
            "annotation value is immutable",
            [serving::CREATOR],
        ));
    }
    let modifier = value(new, serving::LAST_MODIFIER);
    if !spec_changed && modifier != value(old, serving::LAST_MODIFIER) {
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

/// Keys of labels and annotations must be qualified names.
pub(super) fn keys(map: Option<&BTreeMap<String, String>>, path: &str) -> FieldErrors {
    let bad = map
        .into_iter()
        .flatten()
        .filter(|(key, _)| !names::is_qualified(key));
    bad.map(|(key, _)| FieldErrors::invalid_key(key, path))
        .collect()
}
