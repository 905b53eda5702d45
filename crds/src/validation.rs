//! Validation: why an object is refused, in the words that users of the peer know
//! (contract/control-plane 1.2 to 1.9). Pure; nothing panics on any input.

mod autoscaling;
mod changes;
mod container;
mod domain_mapping;
mod env;
mod fields;
mod grammar;
mod metadata;
mod mount;
pub(crate) mod names;
mod networking;
mod pod;
mod probe;
mod projection;
mod security;
mod sidecar;
mod target;
mod template;
mod text;
mod traffic;
mod volume;

pub use grammar::FieldErrors;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::autoscaling::{Metric, MetricSpec, PodAutoscaler};
use crate::certificate::Certificate;
use crate::config::Settings;
use crate::configuration::Configuration;
use crate::defaulting::canonical;
use crate::domain_mapping::DomainMapping;
use crate::name::serving;
use crate::networking::{Ingress, ServerlessService};
use crate::revision::Revision;
use crate::route::{Route, TrafficTarget};
use crate::service::Service;

/// What validation needs to know besides the object.
#[derive(Clone, Copy, Debug)]
pub struct ValidationContext<'a> {
    /// The settings of the system.
    pub settings: &'a Settings,
    /// Whether only the status is written: then old faults of the spec do not count.
    pub status_only: bool,
}

/// What is wrong with a Service. `old` is what it was before an update.
pub fn validate_service(
    service: &Service,
    old: Option<&Service>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    if ctx.status_only {
        return FieldErrors::none();
    }
    let meta = &service.metadata;
    let mut errors = metadata::of_parent(meta).at("metadata");
    errors.also(metadata::rollout_duration(meta).at("metadata.annotations"));
    let template = canonical::template(&service.spec.template);
    errors.also(template::validate(&template, meta, ctx).at("spec.template"));
    errors.also(traffic::of_service(&service.spec.traffic).at("spec"));
    if let Some(old) = old {
        let old_template = canonical::template(&old.spec.template);
        errors.also(metadata::signatures(meta, &old.metadata, || {
            !canonical::same(&old_template, &template)
                || traffic_changed(&old.spec.traffic, &service.spec.traffic)
        }));
        errors.also(template::renamed(&template, &old_template).at("spec.template"));
    }
    errors
}

/// What is wrong with a Configuration. `old` is what it was before an update.
pub fn validate_configuration(
    configuration: &Configuration,
    old: Option<&Configuration>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    if ctx.status_only {
        return FieldErrors::none();
    }
    let meta = &configuration.metadata;
    let mut errors = metadata::of_parent(meta).at("metadata");
    errors.also(metadata::owner_label(meta, serving::SERVICE, "Service"));
    let template = canonical::template(&configuration.spec.template);
    errors.also(template::validate(&template, meta, ctx).at("spec.template"));
    if let Some(old) = old {
        let old_template = canonical::template(&old.spec.template);
        if !metadata::is_owned(meta) {
            errors.also(metadata::signatures(meta, &old.metadata, || {
                !canonical::same(&old_template, &template)
            }));
        }
        errors.also(template::renamed(&template, &old_template).at("spec.template"));
    }
    errors
}

/// What is wrong with a Revision. `old` is what it was before an update: the spec never changes,
/// and where it does nothing else is told.
pub fn validate_revision(
    revision: &Revision,
    old: Option<&Revision>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    let meta = &revision.metadata;
    let mut errors = metadata::name(meta).at("metadata");
    errors.also(metadata::owner_label(
        meta,
        serving::CONFIGURATION,
        "Configuration",
    ));
    errors.also(autoscaling::validate(meta.annotations.as_ref(), ctx).at("metadata.annotations"));
    let spec = canonical::spec(&revision.spec);
    let Some(old) = old else {
        errors.also(template::spec(&spec, ctx).at("spec"));
        return errors;
    };
    match changes::of_spec(&canonical::spec(&old.spec), &spec) {
        Some(changes) => {
            FieldErrors::new("Immutable fields changed (-old +new)", ["spec"]).details(changes)
        }
        None => errors,
    }
}

/// What is wrong with a Route. `old` is what it was before an update.
pub fn validate_route(
    route: &Route,
    old: Option<&Route>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    if ctx.status_only {
        return FieldErrors::none();
    }
    let meta = &route.metadata;
    let mut errors = metadata::of_parent(meta).at("metadata");
    errors.also(metadata::rollout_duration(meta).at("metadata.annotations"));
    errors.also(metadata::owner_label(meta, serving::SERVICE, "Service"));
    errors.also(traffic::of_route(&route.spec.traffic).at("spec"));
    if let Some(old) = old
        && !metadata::is_owned(meta)
    {
        errors.also(metadata::signatures(meta, &old.metadata, || {
            traffic_changed(&old.spec.traffic, &route.spec.traffic)
        }));
    }
    errors
}

fn traffic_changed(old: &[TrafficTarget], new: &[TrafficTarget]) -> bool {
    canonical::traffic(old) != canonical::traffic(new)
}

/// What is wrong with a DomainMapping. `old` is what it was before an update.
pub fn validate_domain_mapping(
    mapping: &DomainMapping,
    old: Option<&DomainMapping>,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    if ctx.status_only {
        return FieldErrors::none();
    }
    let mut errors = domain_mapping::validate(mapping);
    if let Some(old) = old {
        errors.also(metadata::signatures(
            &mapping.metadata,
            &old.metadata,
            || mapping.spec != old.spec,
        ));
    }
    errors
}

/// What is wrong with a PodAutoscaler.
pub fn validate_pod_autoscaler(
    autoscaler: &PodAutoscaler,
    ctx: &ValidationContext<'_>,
) -> FieldErrors {
    let mut errors = autoscaled(&autoscaler.metadata, ctx);
    errors.also(autoscaling::spec(&autoscaler.spec, ctx).at("spec"));
    errors
}

/// What is wrong with a Metric.
pub fn validate_metric(metric: &Metric, ctx: &ValidationContext<'_>) -> FieldErrors {
    let mut errors = autoscaled(&metric.metadata, ctx);
    if metric.spec == MetricSpec::default() {
        errors.also(FieldErrors::missing(["spec"]));
    }
    errors
}

fn autoscaled(meta: &ObjectMeta, ctx: &ValidationContext<'_>) -> FieldErrors {
    let mut errors = metadata::name(meta).at("metadata");
    errors.also(autoscaling::validate(meta.annotations.as_ref(), ctx).at("metadata.annotations"));
    errors
}

/// What is wrong with an Ingress.
pub fn validate_ingress(ingress: &Ingress) -> FieldErrors {
    networking::ingress(ingress).at("spec")
}

/// What is wrong with a ServerlessService.
pub fn validate_serverless_service(service: &ServerlessService) -> FieldErrors {
    let annotations = service.metadata.annotations.as_ref();
    let mut errors = networking::annotations(annotations).at("annotations");
    errors.also(networking::serverless_service(&service.spec).at("spec"));
    errors
}

/// What is wrong with a Certificate.
pub fn validate_certificate(certificate: &Certificate) -> FieldErrors {
    networking::certificate(&certificate.spec).at("spec")
}

#[cfg(test)]
mod tests;
