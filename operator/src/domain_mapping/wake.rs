//! Which changes elsewhere a DomainMapping has to look at.

use crds::domain_mapping::DomainMapping;
use futures::stream::{self, BoxStream, StreamExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use runtime::kube::watch::{Watchable, Watched};

use super::referent::{Kind, namespace};
use crate::stores::Watches;

/// Mappings of a domain whose claim has changed: of the losers one may get it now. And mappings
/// whose referent has changed, also one that was missing and then appears.
pub(crate) fn mappings_to_look_at(
    watches: &Watches,
) -> BoxStream<'static, ObjectRef<DomainMapping>> {
    let mappings = watches.domain_mappings.store();
    let claims = watches.domain_claims.subscribe().flat_map(move |claim| {
        let name = claim.name_any();
        stream::iter(found(&mappings, |mapping| mapping.name_any() == name))
    });
    stream::select_all([
        claims.boxed(),
        that_name(&watches.services, Kind::Service, watches),
        that_name(&watches.routes, Kind::Route, watches),
        that_name(&watches.core_services, Kind::CoreService, watches),
    ])
    .boxed()
}

fn that_name<K: Watchable>(
    referents: &Watched<K>,
    kind: Kind,
    watches: &Watches,
) -> BoxStream<'static, ObjectRef<DomainMapping>> {
    let mappings = watches.domain_mappings.store();
    let concerned = referents.subscribe().flat_map(move |changed| {
        stream::iter(found(&mappings, |mapping| names(mapping, kind, &*changed)))
    });
    concerned.boxed()
}

/// Whether `mapping` refers to `object`, which is of that kind.
pub(super) fn names(mapping: &DomainMapping, kind: Kind, object: &impl Resource) -> bool {
    let reference = &mapping.spec.reference;
    object.meta().name.as_ref() == Some(&reference.name)
        && object.meta().namespace.as_deref() == Some(&*namespace(mapping))
        && Kind::of(reference) == kind
}

fn found(
    mappings: &Store<DomainMapping>,
    concerned: impl Fn(&DomainMapping) -> bool,
) -> Vec<ObjectRef<DomainMapping>> {
    let found = mappings.state_filter(concerned);
    found.iter().map(|it| ObjectRef::from_obj(&**it)).collect()
}
