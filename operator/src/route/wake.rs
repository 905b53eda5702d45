//! Which Routes have to look when something else has changed.

use crds::certificate::Certificate;
use crds::name::networking;
use crds::route::Route;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

/// The Routes of a namespace, where a certificate changes that may cover their hosts.
pub(crate) fn under_wildcard(
    certificate: &Certificate,
    routes: &Store<Route>,
) -> Vec<ObjectRef<Route>> {
    if !certificate
        .labels()
        .contains_key(networking::WILDCARD_DOMAIN)
    {
        return Vec::new();
    }
    let namespace = certificate.namespace();
    let found = routes.state_filter(|route: &Route| route.namespace() == namespace);
    found
        .iter()
        .map(|route| ObjectRef::from_obj(&**route))
        .collect()
}
