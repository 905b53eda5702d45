//! Writes: server-side apply that is silent when nothing changed, plain create, status.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{NamespaceResourceScope, Status};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

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

/// Why a write failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The API server understood and refuses: trying again won't help.
    #[error("{kind} {name:?} was refused: {message}")]
    Rejected {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
    /// The namespace is on its way out, and everything in it: there is nothing left to do.
    #[error("{kind} {name:?} comes too late: {message}")]
    Ending {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
    /// Someone else wrote first, or the name is taken: look again.
    #[error("{kind} {name:?} has changed or exists already: {message}")]
    Conflict {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
    /// Not now: trying again may help.
    #[error("{kind} {name:?} can't be written now: {message}")]
    Transient {
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The API server's words.
        message: String,
    },
}

impl ApplyError {
    /// Classifies what the API server answered to a write of an object.
    #[expect(clippy::needless_pass_by_value, reason = "ends the error it explains")]
    pub fn new(kind: &str, name: &str, error: kube::Error) -> Self {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let kube::Error::Api(status) = &error else {
            return Self::Transient {
                kind,
                name,
                message: error.to_string(),
            };
        };
        let message = status.message.clone();
        match status.code {
            400 | 422 => Self::Rejected {
                kind,
                name,
                message,
            },
            403 if is_terminating(status) => Self::Ending {
                kind,
                name,
                message,
            },
            409 => Self::Conflict {
                kind,
                name,
                message,
            },
            _ => Self::Transient {
                kind,
                name,
                message,
            },
        }
    }

    /// The API server's words where there are any, else our own.
    pub fn message(&self) -> &str {
        let (Self::Rejected { message, .. }
        | Self::Ending { message, .. }
        | Self::Conflict { message, .. }
        | Self::Transient { message, .. }) = self;
        message
    }
}

fn is_terminating(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "NamespaceTerminating")
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
/// is gone needs no status: that is a success.
///
/// # Errors
/// See [`ApplyError`].
pub async fn write_status<K: Written>(
    client: &Client,
    object: &K,
    status: &impl Serialize,
) -> Result<(), ApplyError> {
    let name = object.name_any();
    let operations = json!([{ "op": "add", "path": "/status", "value": status }]);
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
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
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
mod tests {
    use super::{APPLIED, patch_body};
    use k8s_openapi::api::core::v1::ConfigMap;

    fn config_map(data: &[(&str, &str)]) -> ConfigMap {
        let data = data
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let mut object = ConfigMap {
            data: Some(data),
            ..ConfigMap::default()
        };
        object.metadata.name = Some("settings".to_owned());
        object
    }

    #[test]
    fn what_was_applied_is_not_applied_again() {
        let wanted = config_map(&[("a", "1")]);
        let body = patch_body(&wanted, None).unwrap();
        let current: ConfigMap = serde_json::from_value(body).unwrap();
        assert!(
            current
                .metadata
                .annotations
                .as_ref()
                .unwrap()
                .contains_key(APPLIED)
        );
        assert_eq!(patch_body(&wanted, Some(&current)), None);
    }

    #[test]
    fn a_change_by_others_and_a_dropped_field_are_mended() {
        let wanted = config_map(&[("a", "1")]);
        let body = patch_body(&wanted, None).unwrap();
        let mut current: ConfigMap = serde_json::from_value(body).unwrap();
        assert!(patch_body(&config_map(&[]), Some(&current)).is_some());
        current.data = config_map(&[("a", "2")]).data;
        assert!(patch_body(&wanted, Some(&current)).is_some());
    }
}
