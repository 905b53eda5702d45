//! Which Namespace has to look when something else has changed.

use crds::certificate::Certificate;
use crds::config::Settings;
use crds::name::networking;
use crds::revision::Revision;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use runtime::kube::owner::controller;

use crate::ensured::lookup;
use net::contract::certificate::SERVING;

/// The Namespace of a Certificate that it owns, or that stands in for one.
pub(crate) fn of_certificate(certificate: &Certificate) -> Option<ObjectRef<Namespace>> {
    let owner = controller(certificate.meta());
    let is_owned = owner.is_some_and(|owner| owner.kind == Namespace::kind(&()));
    let is_concerned = is_owned
        || certificate
            .labels()
            .contains_key(networking::WILDCARD_DOMAIN);
    let namespace = certificate.namespace().filter(|_| is_concerned)?;
    Some(ObjectRef::new(&namespace))
}

/// The Namespace of a Revision, where its pods still lack a certificate.
pub(crate) fn of_revision(
    revision: &Revision,
    settings: &Settings,
    certificates: &Store<Certificate>,
) -> Option<ObjectRef<Namespace>> {
    if !settings.network.system_internal_tls {
        return None;
    }
    let namespace = revision.namespace()?;
    let is_there = lookup(certificates, &namespace, SERVING).is_some();
    (!is_there).then(|| ObjectRef::new(&namespace))
}
