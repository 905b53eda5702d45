//! Rules of a revision template (contract/control-plane 1.4, 1.5).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::names::{dns1035, listed};
use super::{FieldErrors, ValidationContext, autoscaling, changes, metadata, pod, sidecar};
use crate::duration::Nanos;
use crate::name::serving;
use crate::revision::{RevisionSpec, RevisionTemplate};

const PROGRESS_DEADLINE: [&str; 2] = [
    serving::PROGRESS_DEADLINE,
    "serving.knative.dev/progressDeadline",
];

const NETWORKING_GROUP: &str = "networking.knative.dev";
const NETWORKING_KEYS: [&str; 9] = [
    "ingress.class",
    "ingress-class",
    "certificate.class",
    "certificate-class",
    "disableAutoTLS",
    "disable-auto-tls",
    "disable-external-domain-tls",
    "httpOption",
    "http-protocol",
];

/// Spec and annotations of a template.
pub(super) fn validate(template: &RevisionTemplate, ctx: &ValidationContext<'_>) -> FieldErrors {
    let mut errors = spec(&template.spec, ctx).at("spec");
    if let Some(meta) = &template.metadata {
        errors.also(annotations(meta.annotations.as_ref(), ctx).at("metadata.annotations"));
        errors.also(metadata::keys(meta.labels.as_ref(), "metadata.labels"));
    }
    errors
}

/// Spec of a revision.
pub(super) fn spec(spec: &RevisionSpec, ctx: &ValidationContext<'_>) -> FieldErrors {
    let defaults = &ctx.settings.defaults;
    let mut errors = pod::validate(&spec.pod, ctx);
    let most = defaults.max_revision_timeout_seconds;
    if let Some(timeout) = spec
        .timeout_seconds
        .filter(|timeout| !(0..=most).contains(timeout))
    {
        errors.also(FieldErrors::out_of_bounds(
            timeout,
            0,
            most,
            "timeoutSeconds",
        ));
    }
    if let Some(concurrency) = spec.container_concurrency {
        errors.also(container_concurrency(concurrency, ctx));
    }
    errors
}

/// How many requests a pod may get at once.
pub(super) fn container_concurrency(concurrency: i64, ctx: &ValidationContext<'_>) -> FieldErrors {
    let defaults = &ctx.settings.defaults;
    let least = i64::from(!defaults.allow_container_concurrency_zero);
    let most = defaults.container_concurrency_max_limit;
    if (least..=most).contains(&concurrency) {
        return FieldErrors::none();
    }
    FieldErrors::out_of_bounds(concurrency, least, most, "containerConcurrency")
}

/// Annotations of a template or a Revision.
pub(super) fn annotations(
    annotations: Option<&BTreeMap<String, String>>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    let mut errors = autoscaling::validate(annotations, ctx);
    let Some(annotations) = annotations else {
        return errors;
    };
    errors.also(progress_deadline(annotations));
    errors.also(sidecar::resources(annotations));
    errors.also(
        annotations
            .keys()
            .filter(|key| !is_known_networking(key))
            .map(|key| FieldErrors::invalid_key(key, ""))
            .collect(),
    );
    errors
}

fn is_known_networking(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(NETWORKING_GROUP) else {
        return true;
    };
    rest.strip_prefix('/')
        .is_some_and(|name| NETWORKING_KEYS.contains(&name))
}

fn progress_deadline(annotations: &BTreeMap<String, String>) -> FieldErrors {
    let found = PROGRESS_DEADLINE
        .into_iter()
        .find_map(|key| Some((key, annotations.get(key)?)));
    let Some((key, value)) = found else {
        return FieldErrors::none();
    };
    match value.parse::<Nanos>() {
        Err(_) => FieldErrors::invalid(value, key),
        Ok(time) if !time.is_whole_seconds() => FieldErrors::new(
            format!("progress-deadline={value} is not at second precision"),
            [key],
        ),
        Ok(time) if time <= Nanos(0) => {
            FieldErrors::new(format!("progress-deadline={value} must be positive"), [key])
        }
        Ok(_) => FieldErrors::none(),
    }
}

/// A name that the author gives the revision must tell whose it is.
pub(super) fn own_name(parent: &ObjectMeta, template: &RevisionTemplate) -> FieldErrors {
    let name = template.name();
    if name.is_empty() {
        return FieldErrors::none();
    }
    let faults = dns1035(name);
    let path = "metadata.name";
    if !faults.is_empty() {
        let text = format!("not a DNS 1035 label: {}", listed(&faults));
        return FieldErrors::invalid(text, path);
    }
    let Some(parent) = parent.name.as_deref().filter(|parent| !parent.is_empty()) else {
        return FieldErrors::disallowed([path]);
    };
    let prefix = format!("{parent}-");
    if name.starts_with(&prefix) {
        return FieldErrors::none();
    }
    FieldErrors::invalid(format!("{name:?} must have prefix {prefix:?}"), path)
}

/// A template that changes must change its name, if it has one.
pub(super) fn renamed(new: &RevisionTemplate, old: &RevisionTemplate) -> FieldErrors {
    if new.name().is_empty() || new.name() != old.name() {
        return FieldErrors::none();
    }
    match changes::difference(old, new) {
        Some(difference) => FieldErrors::new(
            "Saw the following changes without a name change (-old +new)",
            ["metadata.name"],
        )
        .details(difference),
        None => FieldErrors::none(),
    }
}
