//! Defaulting: what an object gets where its author said nothing (contract/control-plane 1.3 to
//! 1.9). Pure, and doing it twice changes nothing.

mod container;
mod pod;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::annotation::{self, key};
use crate::autoscaling::PodAutoscaler;
use crate::config::Settings;
use crate::configuration::Configuration;
use crate::domain_mapping::DomainMapping;
use crate::name::{autoscaling, serving};
use crate::networking::Ingress;
use crate::revision::{Revision, RevisionTemplate};
use crate::route::{Route, TrafficTarget};
use crate::service::Service;

/// What defaulting needs to know besides the object.
#[derive(Clone, Copy, Debug)]
pub struct DefaultingContext<'a> {
    /// The settings of the system.
    pub settings: &'a Settings,
    /// Who writes; nothing where nobody does (a controller that defaults in memory).
    pub user: Option<&'a str>,
}

/// Fills in a Service. `old` is what it was before an update.
pub fn default_service(service: &mut Service, old: Option<&Service>, ctx: &DefaultingContext<'_>) {
    let old = old.map(|old| {
        defaulted(old, |old| {
            default_old_template(&mut old.spec.template, &old.metadata, ctx);
            default_service_traffic(&mut old.spec.traffic);
        })
    });
    let old_spec = old.as_ref().map(|old| &old.spec);
    let old_template = old_spec.map(|old| &old.template);
    default_template(
        &mut service.spec.template,
        old_template,
        &service.metadata,
        ctx,
    );
    default_service_traffic(&mut service.spec.traffic);
    sign(&mut service.metadata, &service.spec, old_spec, ctx);
}

fn default_service_traffic(traffic: &mut Vec<TrafficTarget>) {
    if traffic.is_empty() {
        traffic.push(TrafficTarget {
            percent: Some(100),
            ..TrafficTarget::default()
        });
    }
    default_traffic(traffic);
}

/// Fills in a Configuration. `old` is what it was before an update.
pub fn default_configuration(
    configuration: &mut Configuration,
    old: Option<&Configuration>,
    ctx: &DefaultingContext<'_>,
) {
    let old = old.map(|old| {
        defaulted(old, |old| {
            default_old_template(&mut old.spec.template, &old.metadata, ctx)
        })
    });
    let old_template = old.as_ref().map(|old| &old.spec.template);
    let parent = &configuration.metadata;
    default_template(&mut configuration.spec.template, old_template, parent, ctx);
    if !is_owned(&configuration.metadata) {
        let old_spec = old.as_ref().map(|old| &old.spec);
        sign(
            &mut configuration.metadata,
            &configuration.spec,
            old_spec,
            ctx,
        );
    }
}

/// Fills in a Route. `old` is what it was before an update.
pub fn default_route(route: &mut Route, old: Option<&Route>, ctx: &DefaultingContext<'_>) {
    default_traffic(&mut route.spec.traffic);
    let old = old.map(|old| defaulted(old, |old| default_traffic(&mut old.spec.traffic)));
    if !is_owned(&route.metadata) {
        let old_spec = old.as_ref().map(|old| &old.spec);
        sign(&mut route.metadata, &route.spec, old_spec, ctx);
    }
}

/// Fills in a new Revision; an old one stays as it is.
pub fn default_revision(
    revision: &mut Revision,
    old: Option<&Revision>,
    ctx: &DefaultingContext<'_>,
) {
    if old.is_none() {
        pod::default_spec(
            &mut revision.spec,
            &revision.metadata,
            pod::Moment::Create,
            ctx.settings,
        );
    }
}

/// Fills in a DomainMapping. `old` is what it was before an update.
pub fn default_domain_mapping(
    mapping: &mut DomainMapping,
    old: Option<&DomainMapping>,
    ctx: &DefaultingContext<'_>,
) {
    default_reference(mapping);
    let old = old.map(|old| defaulted(old, default_reference));
    sign(
        &mut mapping.metadata,
        &mapping.spec,
        old.as_ref().map(|old| &old.spec),
        ctx,
    );
}

fn default_reference(mapping: &mut DomainMapping) {
    let namespace = &mut mapping.spec.reference.namespace;
    if namespace.as_deref().unwrap_or_default().is_empty() {
        namespace.clone_from(&mapping.metadata.namespace);
    }
}

/// Fills in a PodAutoscaler: its class, and what that class measures.
pub fn default_pod_autoscaler(autoscaler: &mut PodAutoscaler, ctx: &DefaultingContext<'_>) {
    let annotations = autoscaler.metadata.annotations.get_or_insert_default();
    if annotation::find(annotations, key::CLASS).is_none() {
        let class = ctx.settings.autoscaler.pod_autoscaler_class.clone();
        annotations.insert(autoscaling::CLASS.to_owned(), class);
    }
    let metric = match annotation::find(annotations, key::CLASS) {
        Some((_, autoscaling::KPA)) => "concurrency",
        Some((_, autoscaling::HPA)) => "cpu",
        _ => return,
    };
    if annotation::find(annotations, key::METRIC).is_none() {
        annotations.insert(autoscaling::METRIC.to_owned(), metric.to_owned());
    }
}

/// Fills in an Ingress: the only backend of a path gets everything.
pub fn default_ingress(ingress: &mut Ingress) {
    let rules = ingress.spec.rules.iter_mut();
    for path in rules
        .flat_map(|rule| rule.http.as_mut())
        .flat_map(|http| &mut http.paths)
    {
        if let [only] = path.splits.as_mut_slice()
            && only.percent == 0
        {
            only.percent = 100;
        }
    }
}

/// A template that keeps its name is not touched, so that an update of something else can't
/// collide with the revision that has the name.
fn default_template(
    template: &mut RevisionTemplate,
    old: Option<&RevisionTemplate>,
    parent: &ObjectMeta,
    ctx: &DefaultingContext<'_>,
) {
    let name = template.name();
    if !name.is_empty() && old.is_some_and(|old| old.name() == name) {
        return;
    }
    let moment = if old.is_none() {
        pod::Moment::Create
    } else {
        pod::Moment::Update
    };
    pod::default_spec(&mut template.spec, parent, moment, ctx.settings);
}

/// What was stored under older settings is compared as if written under today's.
fn default_old_template(
    template: &mut RevisionTemplate,
    parent: &ObjectMeta,
    ctx: &DefaultingContext<'_>,
) {
    pod::default_spec(
        &mut template.spec,
        parent,
        pod::Moment::Update,
        ctx.settings,
    );
}

fn default_traffic(traffic: &mut [TrafficTarget]) {
    for target in traffic {
        let by_name = target
            .revision_name
            .as_deref()
            .is_some_and(|name| !name.is_empty());
        target.latest_revision.get_or_insert(!by_name);
        target.percent.get_or_insert(0);
    }
}

/// Notes who made the object, and who changed its spec.
fn sign<S: PartialEq>(
    metadata: &mut ObjectMeta,
    spec: &S,
    old: Option<&S>,
    ctx: &DefaultingContext<'_>,
) {
    let Some(user) = ctx.user else { return };
    let annotations = metadata.annotations.get_or_insert_default();
    match old {
        None => {
            annotations.insert(serving::CREATOR.to_owned(), user.to_owned());
            annotations.insert(serving::LAST_MODIFIER.to_owned(), user.to_owned());
        }
        Some(old) if old != spec => {
            annotations.insert(serving::LAST_MODIFIER.to_owned(), user.to_owned());
        }
        Some(_) => {}
    }
}

fn is_owned(metadata: &ObjectMeta) -> bool {
    metadata
        .owner_references
        .as_ref()
        .is_some_and(|owners| !owners.is_empty())
}

fn defaulted<K: Clone>(object: &K, default: impl FnOnce(&mut K)) -> K {
    let mut object = object.clone();
    default(&mut object);
    object
}

#[cfg(test)]
mod tests;
