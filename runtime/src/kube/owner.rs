//! Who owns whom (contract/control-plane 0.6).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

/// The reference that makes `owner` the controller of a child. An owner that the API server has
/// not seen yet has no uid; its reference then has an empty one, which the server refuses.
pub fn owner_reference<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    let meta = owner.meta();
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Whether the object with this uid is the controller of `child`.
pub fn is_owned_by(child: &ObjectMeta, uid: Option<&str>) -> bool {
    let controller = controller(child);
    uid.is_some() && controller.map(|owner| owner.uid.as_str()) == uid
}

/// The reference to the controller of `child`, if it has one.
pub fn controller(child: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = child.owner_references.as_deref().unwrap_or_default();
    owners.iter().find(|owner| owner.controller == Some(true))
}
