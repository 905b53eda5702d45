//! Writes: server-side apply that is silent when nothing changed, plain create, status.

mod error;
mod takeover;

use std::fmt::Debug;

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use self::error::{ApplyError, is_outdated};
use super::containment::{contains, fingerprint};

/// Annotation of a child: fingerprint of what we applied last. Together with a comparison of the
/// fields it tells, without a request, that an apply would change nothing, dropped fields
/// included.
pub const APPLIED: &str = "fermata.dev/applied";

/// What [`apply`] did.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied<K> {
    /// Nothing: the object was as wanted.
    Unchanged,
    /// A write; the object as the API server has it now.
    Written(Box<K>),
}

/// What kinds must be to be written here.
pub trait Written:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
{
}

impl<K> Written for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
{
}

/// Makes the fields that `wanted` names have its values, as field manager `manager`, by force;
/// fields that we applied before and that `wanted` no longer names go. Without a request when
/// `current`, the object as last seen, already is as wanted.
///
/// A `current` that we have never applied was made by the controllers of Knative, before us: what
/// they had put on it counts as applied by us, and goes when `wanted` does not name it.
///
/// # Errors
/// See [`ApplyError`].
pub async fn apply<K: Written>(
    client: &Client,
    manager: &str,
    wanted: &K,
    current: Option<&K>,
) -> Result<Applied<K>, ApplyError> {
    let (kind, name) = (K::kind(&()), wanted.name_any());
    let Some(body) = patch_body(wanted, current) else {
        return Ok(Applied::Unchanged);
    };
    let api = namespaced::<K>(client, wanted);
    if current.is_some_and(|current| !current.annotations().contains_key(APPLIED)) {
        let taken = takeover::take_over(&api, &name, manager).await;
        taken.map_err(|error| ApplyError::new(&kind, &name, error))?;
    }
    let params = PatchParams::apply(manager).force();
    match api.patch(&name, &params, &Patch::Apply(&body)).await {
        Ok(object) => Ok(Applied::Written(Box::new(object))),
        Err(error) => Err(ApplyError::new(&kind, &name, error)),
    }
}

/// The body to send, or None when `current` is as wanted.
fn patch_body<K: Written>(wanted: &K, current: Option<&K>) -> Option<Value> {
    let mut body = as_json(wanted);
    if let Some(object) = body.as_object_mut() {
        object.remove("status");
    }
    // Children take the annotations of their parent, and with them its own mark.
    if let Some(Value::Object(annotations)) = body.pointer_mut("/metadata/annotations") {
        annotations.remove(APPLIED);
    }
    let mark = fingerprint(&body);
    if let Some(current) = current {
        let applied = current.annotations().get(APPLIED);
        if applied == Some(&mark) && contains(&as_json(current), &body) {
            return None;
        }
    }
    body["apiVersion"] = K::api_version(&()).into();
    body["kind"] = K::kind(&()).into();
    body["metadata"]["annotations"][APPLIED] = mark.into();
    Some(body)
}

/// Creates `object`; a name that is taken is a conflict.
///
/// # Errors
/// See [`ApplyError`].
pub async fn create<K: Written>(
    client: &Client,
    manager: &str,
    object: &K,
) -> Result<K, ApplyError> {
    let params = PostParams {
        field_manager: Some(manager.to_owned()),
        ..PostParams::default()
    };
    let created = namespaced::<K>(client, object)
        .create(&params, object)
        .await;
    created.map_err(|error| ApplyError::new(&K::kind(&()), &object.name_any(), error))
}

/// Replaces the status of `object`. The caller has compared: this always writes. An object that
/// is gone needs no status; one that has changed since `object` was read is left as it is, because
/// the change wakes whoever watches it, and what it knows then is newer. Both are successes.
///
/// # Errors
/// See [`ApplyError`].
pub async fn write_status<K: Written>(
    client: &Client,
    object: &K,
    status: &impl Serialize,
) -> Result<(), ApplyError> {
    try_status(client, object, status).await.map(|_| ())
}

/// What became of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was written.
    Yes,
    /// The object has changed, or is gone.
    Outdated,
}

/// As [`write_status`], for callers with something to tell only when it was written.
///
/// # Errors
/// See [`ApplyError`].
pub async fn try_status<K: Written>(
    client: &Client,
    object: &K,
    status: &impl Serialize,
) -> Result<Stored, ApplyError> {
    let name = object.name_any();
    let operations = json!([
        { "op": "test", "path": "/metadata/resourceVersion", "value": object.resource_version() },
        { "op": "add", "path": "/status", "value": status },
    ]);
    let patch = serde_json::from_value(operations).map(Patch::Json::<()>);
    let patch = patch.map_err(kube::Error::SerdeError);
    let written = match patch {
        Ok(patch) => {
            let api = namespaced::<K>(client, object);
            api.patch_status(&name, &PatchParams::default(), &patch)
                .await
        }
        Err(error) => Err(error),
    };
    match written {
        Ok(_) => Ok(Stored::Yes),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Stored::Outdated),
        Err(error) if is_outdated(&error) => Ok(Stored::Outdated),
        Err(error) => Err(ApplyError::new(&K::kind(&()), &name, error)),
    }
}

fn namespaced<K: Written>(client: &Client, object: &K) -> Api<K> {
    Api::namespaced(client.clone(), &object.namespace().unwrap_or_default())
}

/// API types always serialise: their maps have string keys.
fn as_json<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests;
