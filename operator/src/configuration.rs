//! Configuration: a Revision for each form of the template, and the newest that can serve
//! (contract/control-plane 2.2, 3.2).
//!
//! A Revision's spec never changes, so Revisions are created and never applied again.

mod desired;
mod latest;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use runtime::kube::apply::{ApplyError, create, write_status};
use runtime::kube::event::EventKind;

use self::latest::{Latest, Seen, latest, revision_name};
pub(crate) use self::latest::{byo_name, is_conflicting};
use self::status::{Note, notes, status};
use crate::context::Context;
use crate::ensured::lookup;
use crate::error::ReconcileError;
use crate::report::{Haste, Reported, report};
use crate::unobserved;

/// Field manager of Revisions.
const MANAGER: &str = "fermata-configuration";

/// Brings one Configuration a step closer to its spec. Safe to run at any time, twice, or
/// half-way.
pub(crate) async fn reconcile(
    configuration: Arc<Configuration>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if configuration.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let seen = gather(&configuration, &ctx);
    let latest = match latest(&configuration, &seen) {
        Latest::Missing => match create_revision(&configuration, &ctx).await {
            Ok(created) => created,
            Err(error) => {
                mark_unobserved(&configuration, &ctx).await?;
                return Err(error);
            }
        },
        there => there,
    };
    let status = status(&configuration, &seen, &latest, ctx.now());
    let old = configuration.status.as_ref();
    if report(&ctx, &*configuration, old, &status, Haste::Now).await? == Reported::Written {
        for Note {
            kind,
            reason,
            message,
        } in notes(old, &status)
        {
            ctx.events
                .publish(&*configuration, kind, reason, message)
                .await;
        }
    }
    Ok(latest.next())
}

/// After a pass without a verdict: takes back what was said of the old generation.
async fn mark_unobserved(
    configuration: &Configuration,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let mut status = configuration.status.clone().unwrap_or_default();
    let generation = configuration.meta().generation;
    let (old, observed) = (&status.conditions, status.observed_generation);
    let Some(conditions) = unobserved::conditions(old, observed, generation, ctx.now()) else {
        return Ok(());
    };
    status.conditions = conditions;
    status.observed_generation = generation;
    Ok(write_status(&ctx.client, configuration, &status).await?)
}

fn gather(configuration: &Configuration, ctx: &Context) -> Seen {
    let (namespace, name) = (
        configuration.namespace().unwrap_or_default(),
        configuration.name_any(),
    );
    let labelled = ctx.stores.revisions.state_filter(|revision| {
        revision.meta().namespace.as_deref() == Some(&namespace)
            && revision.labels().get(serving::CONFIGURATION) == Some(&name)
    });
    let named = lookup(
        &ctx.stores.revisions,
        &namespace,
        &revision_name(configuration),
    );
    Seen::new(labelled, named)
}

/// Creates the Revision of the current template. A name that turns out to be taken is no verdict
/// yet: our store is behind, and shows next time by whom.
async fn create_revision(
    configuration: &Configuration,
    ctx: &Context,
) -> Result<Latest, ReconcileError> {
    let wanted = desired::revision(configuration, ctx.now());
    let name = wanted.name_any();
    match create::<Revision>(&ctx.client, MANAGER, &wanted).await {
        Ok(revision) => {
            let message = format!("Created Revision {name:?}");
            ctx.events
                .publish(configuration, EventKind::Normal, "Created", message)
                .await;
            Ok(Latest::There(Arc::new(revision)))
        }
        Err(ApplyError::Rejected { message, .. }) => {
            let note = format!("Failed to create Revision: {message}");
            ctx.events
                .publish(configuration, EventKind::Warning, "CreationFailed", note)
                .await;
            Ok(Latest::Refused(message))
        }
        Err(error) => Err(error.into()),
    }
}
