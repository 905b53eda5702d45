//! Writes the children of a Revision.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use runtime::kube::apply::{ApplyError, apply as server_side_apply, create, is_outdated};
use runtime::kube::owner::is_owned_by;
use serde_json::Value;
use tracing::debug;

use super::desired::Children;
use super::gather::Seen;
use super::update;
use crate::child::Child;

const MANAGER: &str = "fermata-revision";
const DEPLOYMENT: &str = "Deployment";

/// What became of the Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing: it was as wanted, or it is not ours to write.
    Unchanged,
    /// It is new, or has a new form.
    Changed,
    /// Someone else's, whom the watch does not show, has its name.
    Foreign,
}

/// Makes the children what they should be, both at once. Without a request when they are.
pub(super) async fn apply(
    client: &Client,
    seen: &Seen,
    children: &Children,
) -> Result<Written, ApplyError> {
    let (deployment, autoscaler) = tokio::join!(
        apply_deployment(client, &seen.deployment, &children.deployment),
        apply_autoscaler(client, seen, children),
    );
    autoscaler?;
    deployment
}

/// Writes the Images that are not as they should be. They are hints that nobody waits for: one that
/// can't be written is left for the next look at the Revision.
pub(super) async fn announce_images(client: &Client, seen: &Seen, children: &Children) {
    for image in &children.images {
        let current = seen.hints.get(&image.name_any());
        if current.is_some_and(Child::is_foreign) {
            continue;
        }
        let current = current.and_then(Child::ours);
        if let Err(error) = server_side_apply(client, MANAGER, image, current).await {
            debug!(%error, "image was not announced to caches");
        }
    }
}

async fn apply_autoscaler(
    client: &Client,
    seen: &Seen,
    children: &Children,
) -> Result<(), ApplyError> {
    if seen.autoscaler.is_foreign() {
        return Ok(());
    }
    let current = seen.autoscaler.ours();
    server_side_apply(client, MANAGER, &children.autoscaler, current)
        .await
        .map(|_| ())
}

async fn apply_deployment(
    client: &Client,
    current: &Child<Deployment>,
    wanted: &Deployment,
) -> Result<Written, ApplyError> {
    match current {
        Child::Foreign => Ok(Written::Unchanged),
        Child::Ours(current) => match update::patch(current, wanted) {
            Some(patch) => change(client, wanted, patch).await,
            None => Ok(Written::Unchanged),
        },
        Child::Missing => match create(client, MANAGER, wanted).await {
            Ok(_) => Ok(Written::Changed),
            Err(conflict @ ApplyError::Conflict { .. }) => whose(client, wanted, conflict).await,
            Err(error) => Err(error),
        },
    }
}

async fn change(client: &Client, wanted: &Deployment, patch: Value) -> Result<Written, ApplyError> {
    let name = wanted.name_any();
    let failed = |error| ApplyError::new(DEPLOYMENT, &name, error);
    let patch = serde_json::from_value(patch)
        .map_err(kube::Error::SerdeError)
        .map_err(failed)?;
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match api(client, wanted)
        .patch(&name, &params, &Patch::<()>::Json(patch))
        .await
    {
        Ok(_) => Ok(Written::Changed),
        Err(error) if is_outdated(&error) => {
            let (kind, message) = (DEPLOYMENT.to_owned(), error.to_string());
            Err(ApplyError::Conflict {
                kind,
                name,
                message,
            })
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whose Deployment has our name: our own, which the watch has not shown yet, or another's, which
/// it never will because it looks at revisions only. The one read outside `gather`.
async fn whose(
    client: &Client,
    wanted: &Deployment,
    conflict: ApplyError,
) -> Result<Written, ApplyError> {
    let name = wanted.name_any();
    let found = api(client, wanted).get_opt(&name).await;
    let found = found.map_err(|error| ApplyError::new(DEPLOYMENT, &name, error))?;
    let owner = wanted
        .owner_references()
        .first()
        .map(|owner| owner.uid.as_str());
    match found {
        Some(found) if is_owned_by(&found.metadata, owner) => Ok(Written::Unchanged),
        Some(_) => Ok(Written::Foreign),
        None => Err(conflict),
    }
}

fn api(client: &Client, wanted: &Deployment) -> Api<Deployment> {
    Api::namespaced(client.clone(), &wanted.namespace().unwrap_or_default())
}
