//! What a mapping refers to, as far as it can be found out: in the stores, where there is a watch,
//! else by asking the API server.

use crds::domain_mapping::{DomainMapping, KReference};
use crds::route::{Addressable, Route};
use crds::service::Service;
use k8s_openapi::api::core::v1::Service as CoreService;
use kube::core::{DynamicObject, GroupVersion};
use kube::discovery::pinned_kind;
use kube::error::DiscoveryError;
use kube::runtime::reflector::Store;
use kube::{Api, Resource, ResourceExt};
use serde::Deserialize;

use crate::context::Context;
use crate::ensured::lookup;
use crate::error::ReconcileError;

/// What a mapping refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Referent {
    /// A core Service: its own name is its address.
    CoreService,
    /// An object that says its address, or will.
    Addressable(Address),
    /// No object, and why, in the words of the API server.
    Missing(String),
}

/// What an object says of its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Nothing.
    Unset,
    /// That it has one, and not which.
    WithoutUrl,
    /// This.
    Url(String),
}

/// Kinds of referents, by how they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    Route,
    CoreService,
    /// Any other: nothing tells when it changes.
    Polled,
}

/// The part of a status that counts.
#[derive(Debug, Default, Deserialize)]
struct Addresses {
    #[serde(default)]
    address: Option<Addressable>,
    #[serde(default)]
    addresses: Vec<Addressable>,
}

// === impl Kind ===

impl Kind {
    /// The kind that `reference` names.
    pub(super) fn of(reference: &KReference) -> Self {
        let version = reference.api_version.as_deref().unwrap_or_default();
        let named =
            |kind: &str, api_version: &str| reference.kind == kind && version == api_version;
        if named(&Service::kind(&()), &Service::api_version(&())) {
            Self::Service
        } else if named(&Route::kind(&()), &Route::api_version(&())) {
            Self::Route
        } else if named(&CoreService::kind(&()), &CoreService::api_version(&())) {
            Self::CoreService
        } else {
            Self::Polled
        }
    }
}

// === impl Address ===

impl From<Option<Addressable>> for Address {
    fn from(address: Option<Addressable>) -> Self {
        match address.map(|it| it.url) {
            None => Self::Unset,
            Some(None) => Self::WithoutUrl,
            Some(Some(url)) => Self::Url(url),
        }
    }
}

// === impl Referent ===

impl Referent {
    /// Finds what `mapping` refers to.
    ///
    /// # Errors
    /// The API server had to be asked, and does not answer.
    pub(super) async fn find(
        mapping: &DomainMapping,
        ctx: &Context,
    ) -> Result<Self, ReconcileError> {
        let reference = &mapping.spec.reference;
        let namespace = namespace(mapping);
        let stores = &ctx.stores;
        Ok(match Kind::of(reference) {
            Kind::CoreService => seen(&stores.core_services, &namespace, &reference.name, |_| {
                Self::CoreService
            }),
            Kind::Service => seen(&stores.services, &namespace, &reference.name, |service| {
                let status = service.status.as_ref();
                Self::Addressable(status.and_then(|it| it.address.clone()).into())
            }),
            Kind::Route => seen(&stores.routes, &namespace, &reference.name, |route| {
                let status = route.status.as_ref();
                Self::Addressable(status.and_then(|it| it.address.clone()).into())
            }),
            Kind::Polled => ask(ctx, reference, &namespace).await?,
        })
    }
}

/// Namespace of what `mapping` refers to.
pub(super) fn namespace(mapping: &DomainMapping) -> String {
    let said = mapping.spec.reference.namespace.clone();
    let said = said.filter(|namespace| !namespace.is_empty());
    said.unwrap_or_else(|| mapping.namespace().unwrap_or_default())
}

fn seen<K>(
    store: &Store<K>,
    namespace: &str,
    name: &str,
    read: impl FnOnce(&K) -> Referent,
) -> Referent
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    match lookup(store, namespace, name) {
        Some(object) => read(&object),
        None => Referent::Missing(not_found(&K::plural(&()), &K::group(&()), name)),
    }
}

/// As the API server says it.
fn not_found(plural: &str, group: &str, name: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    format!("{plural}{dot}{group} {name:?} not found")
}

async fn ask(
    ctx: &Context,
    reference: &KReference,
    namespace: &str,
) -> Result<Referent, ReconcileError> {
    let version = reference.api_version.as_deref().unwrap_or_default();
    let unknown = || Referent::Missing(format!("no kind {:?} in {version:?}", reference.kind));
    let Ok(group_version) = version.parse::<GroupVersion>() else {
        return Ok(unknown());
    };
    let kind = group_version.with_kind(&reference.kind);
    let resource = match pinned_kind(&ctx.client, &kind).await {
        Ok((resource, _)) => resource,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(unknown()),
        Err(kube::Error::Discovery(DiscoveryError::MissingKind(_))) => return Ok(unknown()),
        Err(error) => return Err(error.into()),
    };
    let api = Api::<DynamicObject>::namespaced_with(ctx.client.clone(), namespace, &resource);
    match api.get(&reference.name).await {
        Ok(object) => Ok(Referent::Addressable(address(&object))),
        // Not there, or not for us to see.
        Err(kube::Error::Api(status)) if [403, 404].contains(&status.code) => {
            Ok(Referent::Missing(status.message.clone()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The first of several addresses, else the only one. What can't be read is no address.
pub(super) fn address(object: &DynamicObject) -> Address {
    let status = object.data.get("status").cloned().unwrap_or_default();
    let Addresses { address, addresses } = serde_json::from_value(status).unwrap_or_default();
    addresses.into_iter().next().or(address).into()
}
