//! Defaulting: what an object gets where its author said nothing (contract/control-plane 1.3 to
//! 1.9). Pure, and doing it twice changes nothing.

pub(crate) mod canonical;
mod container;
mod pod;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use crate::autoscaling::PodAutoscaler;
use crate::config::Settings;
use crate::configuration::{Configuration, ConfigurationSpec};
use crate::domain_mapping::DomainMapping;
use crate::name::{autoscaling, serving};
use crate::networking::Ingress;
use crate::revision::{Revision, RevisionSpec, RevisionTemplate};
use crate::route::{Route, RouteSpec, TrafficTarget};
use crate::service::{Service, ServiceSpec};

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
    let stored = old.map(|old| &old.spec.template);
    let old = old.map(|old| ServiceSpec {
        template: updated_template(&old.spec.template, &old.metadata, ctx),
        traffic: service_traffic(&old.spec.traffic),
    });
    let parent = &service.metadata;
    default_template(&mut service.spec.template, stored, parent, ctx);
    service.spec.traffic = service_traffic(&service.spec.traffic);
    sign(&mut service.metadata, &service.spec, old.as_ref(), ctx);
}

/// Fills in a Configuration. `old` is what it was before an update.
pub fn default_configuration(
    configuration: &mut Configuration,
    old: Option<&Configuration>,
    ctx: &DefaultingContext<'_>,
) {
    let stored = old.map(|old| &old.spec.template);
    let old = old.map(|old| ConfigurationSpec {
        template: updated_template(&old.spec.template, &old.metadata, ctx),
    });
    let parent = &configuration.metadata;
    default_template(&mut configuration.spec.template, stored, parent, ctx);
    if !is_owned(&configuration.metadata) {
        let (metadata, spec) = (&mut configuration.metadata, &configuration.spec);
        sign(metadata, spec, old.as_ref(), ctx);
    }
}

/// Fills in a Route. `old` is what it was before an update.
pub fn default_route(route: &mut Route, old: Option<&Route>, ctx: &DefaultingContext<'_>) {
    route.spec.traffic = traffic(&route.spec.traffic);
    let old = old.map(|old| RouteSpec {
        traffic: traffic(&old.spec.traffic),
    });
    if !is_owned(&route.metadata) {
        sign(&mut route.metadata, &route.spec, old.as_ref(), ctx);
    }
}

/// Fills in a new Revision. An old one stays as it is, and a manifest that is applied again is what
/// it became the first time.
pub fn default_revision(
    revision: &mut Revision,
    old: Option<&Revision>,
    ctx: &DefaultingContext<'_>,
) {
    revision.spec = canonical::spec(&revision.spec).into_owned();
    // A Revision that somebody makes by hand has no parent whose name could matter.
    let parent = ObjectMeta::default();
    let fill = |spec: &mut RevisionSpec, moment| {
        pod::default_spec(spec, &parent, moment, ctx.settings);
    };
    let Some(old) = old else {
        return fill(&mut revision.spec, pod::Moment::Create);
    };
    let old = canonical::spec(&old.spec).into_owned();
    let filled = [&revision.spec, &old].map(|spec| {
        let mut spec = spec.clone();
        fill(&mut spec, pod::Moment::Update);
        spec
    });
    if filled[0] == filled[1] {
        revision.spec = old;
    }
}

/// Fills in a DomainMapping. `old` is what it was before an update.
pub fn default_domain_mapping(
    mapping: &mut DomainMapping,
    old: Option<&DomainMapping>,
    ctx: &DefaultingContext<'_>,
) {
    default_reference(mapping);
    let old = old.map(|old| {
        let mut old = old.clone();
        default_reference(&mut old);
        old.spec
    });
    sign(&mut mapping.metadata, &mapping.spec, old.as_ref(), ctx);
}

fn default_reference(mapping: &mut DomainMapping) {
    let reference = &mut mapping.spec.reference;
    let unsaid = [
        &mut reference.namespace,
        &mut reference.api_version,
        &mut reference.group,
    ];
    unsaid.into_iter().for_each(canonical::drop_empty);
    if reference.namespace.is_none() {
        reference.namespace.clone_from(&mapping.metadata.namespace);
        canonical::drop_empty(&mut reference.namespace);
    }
}

/// Fills in a PodAutoscaler: its class, and what that class measures.
pub fn default_pod_autoscaler(autoscaler: &mut PodAutoscaler, ctx: &DefaultingContext<'_>) {
    let scaled = &mut autoscaler.spec.scale_target_ref;
    let unsaid = [&mut scaled.api_version, &mut scaled.kind, &mut scaled.name];
    unsaid.into_iter().for_each(canonical::drop_empty);
    let concurrency = &mut autoscaler.spec.container_concurrency;
    *concurrency = concurrency.filter(|concurrency| *concurrency != 0);
    let annotations = autoscaler.metadata.annotations.get_or_insert_default();
    let class = annotations
        .entry(autoscaling::CLASS.to_owned())
        .or_insert_with(|| ctx.settings.autoscaler.pod_autoscaler_class.clone());
    let metric = match class.as_str() {
        autoscaling::KPA => "concurrency",
        autoscaling::HPA => "cpu",
        _ => "",
    };
    annotations
        .entry(autoscaling::METRIC.to_owned())
        .or_insert_with(|| metric.to_owned());
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
/// collide with the revision that has the name. Only the manifest that made it, applied once more,
/// is what it became then: to kubectl it has lost its defaults, to its author nothing has changed.
/// The peer refuses that.
fn default_template(
    template: &mut RevisionTemplate,
    old: Option<&RevisionTemplate>,
    parent: &ObjectMeta,
    ctx: &DefaultingContext<'_>,
) {
    *template = canonical::template(template).into_owned();
    let name = template.name();
    if let Some(old) = old.filter(|old| !name.is_empty() && old.name() == name) {
        if updated_template(template, parent, ctx) == updated_template(old, parent, ctx) {
            *template = canonical::template(old).into_owned();
        }
        return;
    }
    let moment = if old.is_none() {
        pod::Moment::Create
    } else {
        pod::Moment::Update
    };
    pod::default_spec(&mut template.spec, parent, moment, ctx.settings);
}

/// A template as an update under today's settings fills it in; so is what was stored under older
/// ones compared.
fn updated_template(
    template: &RevisionTemplate,
    parent: &ObjectMeta,
    ctx: &DefaultingContext<'_>,
) -> RevisionTemplate {
    let mut template = canonical::template(template).into_owned();
    pod::default_spec(
        &mut template.spec,
        parent,
        pod::Moment::Update,
        ctx.settings,
    );
    template
}

fn service_traffic(targets: &[TrafficTarget]) -> Vec<TrafficTarget> {
    if !targets.is_empty() {
        return traffic(targets);
    }
    let everything = TrafficTarget {
        percent: Some(100),
        ..TrafficTarget::default()
    };
    traffic(&[everything])
}

fn traffic(targets: &[TrafficTarget]) -> Vec<TrafficTarget> {
    let mut targets = canonical::traffic(targets);
    for target in &mut targets {
        target
            .latest_revision
            .get_or_insert(target.revision_name.is_none());
        target.percent.get_or_insert(0);
    }
    targets
}

/// Notes who made the object, and who changed its spec.
fn sign<S: PartialEq + Serialize>(
    metadata: &mut ObjectMeta,
    spec: &S,
    old: Option<&S>,
    ctx: &DefaultingContext<'_>,
) {
    let Some(user) = ctx.user else { return };
    let signatures = match old {
        None => &[serving::CREATOR, serving::LAST_MODIFIER][..],
        Some(old) if canonical::same(old, spec) => return,
        Some(_) => &[serving::LAST_MODIFIER],
    };
    let annotations = metadata.annotations.get_or_insert_default();
    for signature in signatures {
        annotations.insert((*signature).to_owned(), user.to_owned());
    }
}

fn is_owned(metadata: &ObjectMeta) -> bool {
    metadata
        .owner_references
        .as_ref()
        .is_some_and(|owners| !owners.is_empty())
}

#[cfg(test)]
mod tests;
