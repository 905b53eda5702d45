//! Rules of a revision template (contract/control-plane 1.4, 1.5).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::names::{dns1035, dns1035_prefix, listed};
use super::text::quoted;
use super::{
    FieldErrors, ValidationContext, autoscaling, changes, metadata, networking, pod, sidecar,
};
use crate::name::serving;
use crate::revision::{RevisionSpec, RevisionTemplate};

/// Spec, annotations and name of a template. `parent` is the metadata of what has the template.
pub(super) fn validate(
    template: &RevisionTemplate,
    parent: &ObjectMeta,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    let mut errors = spec(&template.spec, ctx).at("spec");
    let Some(meta) = &template.metadata else {
        return errors;
    };
    errors.also(own_name(meta, parent));
    let annotations = meta.annotations.as_ref();
    let mut of_annotations = autoscaling::validate(annotations, ctx);
    of_annotations.also(networking::annotations(annotations));
    if let Some(annotations) = annotations {
        of_annotations.also(sidecar::resources(annotations));
        of_annotations.also(metadata::seconds(
            annotations,
            &[serving::PROGRESS_DEADLINE],
            "progress-deadline",
        ));
    }
    errors.also(of_annotations.at("metadata.annotations"));
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

/// A name that the author gives the revision must tell whose it is. Only the first fault is told.
fn own_name(meta: &ObjectMeta, parent: &ObjectMeta) -> FieldErrors {
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let refused = |words: &str, faults: &[String], path: &'static str| {
        FieldErrors::invalid(format!("{words}: {}", listed(faults)), path)
    };
    if let Some(prefix) = set(&meta.generate_name) {
        let faults = dns1035_prefix(&prefix);
        if !faults.is_empty() {
            let path = "metadata.generateName";
            return refused("not a DNS 1035 label prefix", &faults, path);
        }
    }
    let Some(name) = set(&meta.name) else {
        return FieldErrors::none();
    };
    let path = "metadata.name";
    let faults = dns1035(&name);
    if !faults.is_empty() {
        return refused("not a DNS 1035 label", &faults, path);
    }
    let of_parent = set(&parent.name);
    if of_parent.is_none() && set(&parent.generate_name).is_some() {
        return FieldErrors::disallowed([path]);
    }
    let prefix = format!("{}-", of_parent.unwrap_or_default());
    if name.starts_with(&prefix) {
        return FieldErrors::none();
    }
    let words = format!("{} must have prefix {}", quoted(&name), quoted(&prefix));
    FieldErrors::invalid(words, path)
}

/// A template that changes must change its name, if it has one.
pub(super) fn renamed(new: &RevisionTemplate, old: &RevisionTemplate) -> FieldErrors {
    if new.name().is_empty() || new.name() != old.name() {
        return FieldErrors::none();
    }
    match changes::of_template(old, new) {
        Some(changes) => FieldErrors::new(
            "Saw the following changes without a name change (-old +new)",
            ["metadata.name"],
        )
        .details(changes),
        None => FieldErrors::none(),
    }
}
