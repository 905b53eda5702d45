//! Writes of the labeler: merge patches of metadata that belongs to other controllers' objects.

use std::fmt::Debug;

use crds::route::Route;
use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::kube::apply::ApplyError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::warn;

/// Merges `change` into the object. One that is gone needs no mark; one that the API server
/// refuses to touch is logged and left: neither may hold up a Route.
///
/// # Errors
/// What may go better next time.
pub(super) async fn merge<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    change: &Value,
) -> Result<(), ApplyError>
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
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => match ApplyError::new(&K::kind(&()), name, error) {
            refused @ ApplyError::Rejected { .. } => {
                warn!(namespace, name, error = %refused, "could not be marked");
                Ok(())
            }
            error => Err(error),
        },
    }
}

/// Replaces the finalizers of a Route, unless someone has changed the Route since we saw it.
///
/// # Errors
/// What may go better next time.
pub(super) async fn finalizers(
    client: &Client,
    route: &Route,
    finalizers: Vec<String>,
) -> Result<(), ApplyError> {
    let (namespace, name) = (route.namespace().unwrap_or_default(), route.name_any());
    let change = json!({ "metadata": {
        "finalizers": finalizers,
        "resourceVersion": route.resource_version(),
    }});
    let api = Api::<Route>::namespaced(client.clone(), &namespace);
    match api
        .patch_metadata(&name, &PatchParams::default(), &Patch::Merge(&change))
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ApplyError::new("Route", &name, error)),
    }
}
