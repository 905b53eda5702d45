//! What a Route needs to know of the world, from the stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::certificate::Certificate;
use crds::name::{networking, serving};
use crds::networking::Ingress;
use crds::route::Route;
use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};

use super::desired::ingress;
use super::rollout::Rollout;
use super::site::{Naming, name_of};
use super::target::Backends;
use super::tls::{self, Certificates};
use crate::child::Child;
use crate::context::Context;
use crate::ensured::lookup;

/// What is there already.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) backends: Backends,
    pub(super) ingress: Child<Ingress>,
    /// Under the names of the placeholders, and all that carry the Route's label.
    pub(super) services: BTreeMap<String, Child<Service>>,
    /// The same for Endpoints.
    pub(super) endpoints: BTreeMap<String, Child<Endpoints>>,
    pub(super) certificates: Certificates,
}

impl Seen {
    /// Reads everything from the stores.
    pub(super) fn gather(route: &Route, naming: Naming<'_>, ctx: &Context) -> Self {
        let namespace = route.namespace().unwrap_or_default();
        let uid = route.meta().uid.as_deref();
        let ingress = lookup(&ctx.stores.ingresses, &namespace, &ingress::name(route));
        let ingress = Child::of(ingress, uid);
        let names: BTreeSet<String> = tags(route)
            .iter()
            .filter_map(|tag| name_of(route, tag, naming).ok())
            .collect();
        Self {
            backends: backends(route, ingress.ours(), &namespace, ctx),
            ingress,
            services: children(&ctx.stores.core_services, route, &names),
            endpoints: children(&ctx.stores.endpoints, route, &names),
            certificates: certificates(&ctx.stores.certificates, route, naming),
        }
    }
}

/// The tags of a Route; the empty one is the Route itself.
pub(super) fn tags(route: &Route) -> BTreeSet<String> {
    let tags = route
        .spec
        .traffic
        .iter()
        .filter_map(|target| target.tag.clone());
    tags.chain([String::new()]).collect()
}

/// The rollouts as the Ingress has them.
pub(super) fn rollout_of(ingress: &Ingress) -> Option<Rollout> {
    let annotation = ingress.annotations().get(crds::name::networking::ROLLOUT)?;
    Rollout::read(annotation)
}

fn backends(route: &Route, ingress: Option<&Ingress>, namespace: &str, ctx: &Context) -> Backends {
    let mut backends = Backends::default();
    let mut revisions = BTreeSet::new();
    for target in &route.spec.traffic {
        revisions.extend(target.revision_name.clone());
        let Some(name) = &target.configuration_name else {
            continue;
        };
        if let Some(found) = lookup(&ctx.stores.configurations, namespace, name) {
            let status = found.status.as_ref();
            revisions.extend(status.and_then(|it| it.latest_ready_revision_name.clone()));
            backends.configurations.insert(name.clone(), found);
        }
    }
    let rollout = ingress.and_then(rollout_of).unwrap_or_default();
    let rolling = rollout
        .configurations
        .into_iter()
        .flat_map(|it| it.revisions);
    revisions.extend(rolling.map(|share| share.revision_name));
    for name in revisions {
        if let Some(found) = lookup(&ctx.stores.revisions, namespace, &name) {
            backends.revisions.insert(name, found);
        }
    }
    backends
}

/// Nothing where the settings ask for none: then there is nothing to compare with.
fn certificates(store: &Store<Certificate>, route: &Route, naming: Naming<'_>) -> Certificates {
    if !naming.network.external_domain_tls && !naming.network.cluster_local_domain_tls {
        return Certificates::default();
    }
    let tags = tags(route);
    let names = tags
        .iter()
        .flat_map(|tag| [tls::name_of(route, tag), tls::local_name_of(route, tag)]);
    let namespace = route.meta().namespace.as_deref();
    Certificates {
        own: children(store, route, &names.collect()),
        wildcards: store.state_filter(|it: &Certificate| {
            it.meta().namespace.as_deref() == namespace
                && it.labels().contains_key(networking::WILDCARD_DOMAIN)
        }),
    }
}

fn children<K>(
    store: &Store<K>,
    route: &Route,
    names: &BTreeSet<String>,
) -> BTreeMap<String, Child<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let (namespace, name) = (route.meta().namespace.as_deref(), route.name_any());
    let uid = route.meta().uid.as_deref();
    let found: Vec<Arc<K>> = store.state_filter(|object: &K| {
        object.meta().namespace.as_deref() == namespace
            && (object
                .meta()
                .name
                .as_ref()
                .is_some_and(|it| names.contains(it))
                || object.labels().get(serving::ROUTE) == Some(&name))
    });
    found
        .into_iter()
        .map(|it| (it.name_any(), Child::of(Some(it), uid)))
        .collect()
}
