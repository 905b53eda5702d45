//! Writes of the labeler: merge patches of metadata that belongs to other controllers' objects.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use runtime::kube::apply::ApplyError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::warn;

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    /// It is set, or the object is gone and needs none.
    Yes,
    /// The API server refuses it.
    Refused,
}

/// Merges `change` into the object. One that the API server refuses to touch is logged and left
/// for later: it must not hold up a Route.
///
/// # Errors
/// What may go better next time.
pub(super) async fn merge<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    change: &Value,
) -> Result<Marked, ApplyError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    match api
        .patch_metadata(name, &PatchParams::default(), &Patch::Merge(change))
        .await
    {
        Ok(_) => Ok(Marked::Yes),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Marked::Yes),
        Err(error) => match ApplyError::new(&K::kind(&()), name, error) {
            refused @ ApplyError::Rejected { .. } => {
                warn!(namespace, name, error = %refused, "could not be marked");
                Ok(Marked::Refused)
            }
            error => Err(error),
        },
    }
}
