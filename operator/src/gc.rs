//! Garbage collection of revisions that no route has led to for long (contract/control-plane 6).

mod select;

use std::sync::Arc;
use std::time::Duration;

use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use tracing::{info, warn};

use self::select::surplus;
use crate::context::Context;
use crate::error::ReconcileError;

/// How often a Configuration is looked at when nothing happens: revisions become stale by time
/// alone, and no event tells.
const AGAIN: Duration = Duration::from_secs(600);
/// How soon a revision that could not be deleted is looked at again.
const FAILED_AGAIN: Duration = Duration::from_secs(60);

/// Deletes the revisions of one Configuration that are too old or too many. What can't be deleted
/// is left for the next time. Safe to run at any time, twice, or half-way.
pub(crate) async fn reconcile(
    configuration: Arc<Configuration>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if configuration.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let (namespace, name) = (&configuration.metadata.namespace, configuration.name_any());
    let revisions = ctx.stores.revisions.state_filter(|revision| {
        revision.metadata.namespace == *namespace
            && revision.labels().get(serving::CONFIGURATION) == Some(&name)
            && revision.metadata.deletion_timestamp.is_none()
    });
    let settings = ctx.settings();
    let mut again = AGAIN;
    for revision in surplus(&configuration, &revisions, &settings.gc, ctx.now()) {
        if !delete(&ctx, &revision).await {
            again = FAILED_AGAIN;
        }
    }
    Ok(Action::requeue(again))
}

/// Deletes the revision as it was judged: one that a route has taken up since then stays. Whether
/// it is gone.
async fn delete(ctx: &Context, revision: &Revision) -> bool {
    let (name, namespace) = (
        revision.name_any(),
        revision.namespace().unwrap_or_default(),
    );
    let as_judged = Preconditions {
        resource_version: revision.resource_version(),
        uid: revision.uid(),
    };
    let params = DeleteParams::background().preconditions(as_judged);
    let revisions: Api<Revision> = Api::namespaced(ctx.client.clone(), &namespace);
    match revisions.delete(&name, &params).await {
        Ok(_) => {
            info!(%namespace, %name, "Deleted a revision that is not in use");
            true
        }
        Err(kube::Error::Api(status)) if status.code == 404 => true,
        Err(error) => {
            warn!(%namespace, %name, %error, "revision could not be deleted");
            false
        }
    }
}
