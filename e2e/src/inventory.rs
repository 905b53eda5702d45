//! What there is in a namespace, by kind and name, with what a test wants to know of each object.

use std::collections::BTreeMap;

use anyhow::Result;
use crds::configuration::Configuration;
use crds::networking::Ingress;
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Resource, ResourceExt};

use crate::namespace::Space;

/// What was found, by `Kind name`.
pub type Inventory<T> = BTreeMap<String, T>;

/// A kind, as [`Space::inventory`] wants it.
pub fn kind<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// The kinds that every Service has objects of.
pub fn kinds_of_a_service() -> Vec<ApiResource> {
    vec![
        kind::<Service>(),
        kind::<Configuration>(),
        kind::<Revision>(),
        kind::<Route>(),
        kind::<Ingress>(),
        kind::<Deployment>(),
    ]
}

impl Space {
    /// What `tell` says of each object of these kinds, given its kind; nothing leaves the object out. Objects are read without
    /// their types, so a malformed one is told of, too.
    pub async fn inventory<T>(
        &self,
        kinds: &[ApiResource],
        tell: impl Fn(&str, &DynamicObject) -> Option<T>,
    ) -> Result<Inventory<T>> {
        let mut inventory = Inventory::new();
        for kind in kinds {
            let client = self.cluster.client.clone();
            let api: Api<DynamicObject> = Api::namespaced_with(client, &self.name, kind);
            for object in api.list(&ListParams::default()).await? {
                let name = format!("{} {}", kind.kind, object.name_any());
                if let Some(told) = tell(&kind.kind, &object) {
                    inventory.insert(name, told);
                }
            }
        }
        Ok(inventory)
    }
}
