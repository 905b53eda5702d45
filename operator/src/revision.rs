//! Revision: its Deployment and PodAutoscaler, and whether it can serve (contract/control-plane
//! 2.4 to 2.6, 3.3).
//!
//! ```text
//! Revision ──► Deployment ──► pods        (replicas: at creation ours, then the autoscaler's)
//!         └──► PodAutoscaler ──► ...      (the autoscaler's)
//! ```

mod activation;
mod apply;
mod desired;
pub(crate) mod digests;
mod fault;
mod gather;
mod name;
mod reachability;
mod status;
#[cfg(test)]
mod tests;
mod update;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use crds::condition::{READY, Truth, find};
use crds::config::Settings;
use crds::revision::{Revision, RevisionStatus};
use kube::runtime::controller::Action;
use runtime::kube::apply::ApplyError;
use runtime::kube::event::EventKind;

pub(crate) use self::activation::failed_activation;
use self::apply::{Written, announce_images, apply};
use self::desired::{Children, Inputs, desired};
use self::digests::{Digests, Images};
use self::gather::{Seen, gather};
use self::verdict::{Verdict, verdict};
use crate::child::Child;
use crate::context::Context;
use crate::error::ReconcileError;
use crate::report::{Haste, Reported, report};

/// Reason of the event about a failed activation, on the Revision and on its Service.
pub(crate) const COLD_START_FAILED: &str = "ColdStartFailed";

/// How long until something that the API server refused is tried again: what refused it (a quota,
/// another webhook) may change without telling us.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// Brings one Revision a step closer to its spec. Safe to run at any time, twice, or half-way.
///
/// gather -> digests -> verdict -> desired -> apply (io) -> status (io)
pub(crate) async fn reconcile(
    revision: Arc<Revision>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if revision.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let settings = ctx.settings();
    if settings.deployment.queue_sidecar_image.is_empty() {
        let what = "config-deployment names no queue-sidecar-image".to_owned();
        return Err(ReconcileError::NotYet { what });
    }
    let skipped = &settings.deployment.registries_skipping_tag_resolving;
    let look = |question| ctx.digests.look(&revision, question);
    let images = digests::resolve(&revision, skipped, look);
    let pass = Pass {
        seen: gather(&ctx.stores, &revision, images.clone()),
        old: revision.status.clone().unwrap_or_default(),
        revision: &revision,
        settings: &settings,
        ctx: &ctx,
    };
    match images {
        Images::Known(digests) => pass.with_images(&digests).await,
        Images::Resolving | Images::Missing { .. } => pass.without_images(&images).await,
    }
}

/// One look at one Revision.
struct Pass<'a> {
    revision: &'a Revision,
    settings: &'a Settings,
    ctx: &'a Context,
    /// Its status as the store has it.
    old: RevisionStatus,
    seen: Seen,
}

impl Pass<'_> {
    fn verdict(&self) -> Verdict {
        let always_schedulable = self.settings.deployment.pod_is_always_schedulable;
        verdict(&self.seen, &self.old.conditions, always_schedulable)
    }

    fn status(&self, found: &Verdict) -> RevisionStatus {
        let log_template = &self.settings.observability.logging_revision_url_template;
        let now = self.ctx.now();
        status::status(self.revision, found, &self.seen, log_template, now)
    }

    async fn store(&self, found: &Verdict) -> Result<Option<Action>, ReconcileError> {
        store(self.ctx, self.revision, &self.old, &self.status(found)).await
    }

    /// Nothing is made of images that are not known.
    async fn without_images(&self, images: &Images) -> Result<Action, ReconcileError> {
        if *images == Images::Resolving
            && self.revision.status.is_none()
            && let Some(rest) = self.ctx.reports.patience(self.revision)
        {
            // Most registries answer at once.
            return Ok(Action::requeue(rest));
        }
        let waits = self.store(&self.verdict()).await?;
        Ok(waits.unwrap_or(next_look(images)))
    }

    async fn with_images(mut self, digests: &Digests) -> Result<Action, ReconcileError> {
        let children = self.children(digests);
        let applied = apply(&self.ctx.client, &self.seen, &children).await;
        if matches!(applied, Ok(Written::Foreign)) {
            self.seen.deployment = Child::Foreign;
        }
        let found = match &applied {
            Err(refused @ ApplyError::Rejected { .. }) => {
                self.verdict().refused(refused.message().to_owned())
            }
            Ok(_) | Err(_) => self.verdict(),
        };
        let waits = self.store(&found).await?;
        if !self.old.container_statuses.is_empty() {
            // Not before the watch shows them: a pass that sees an older status still looks.
            self.ctx.digests.forget(self.revision);
        }
        // Between the two the store of hints may be behind our own writes.
        if matches!(applied, Ok(Written::Changed)) || is_ready(&self.old) {
            announce_images(&self.ctx.client, &self.seen, &children).await;
        }
        match applied {
            Ok(Written::Changed | Written::Unchanged | Written::Foreign) => {
                Ok(waits.unwrap_or(Action::await_change()))
            }
            Err(ApplyError::Rejected { .. }) => Ok(Action::requeue(REFUSED_AGAIN)),
            Err(error) => Err(error.into()),
        }
    }

    fn children(&self, digests: &Digests) -> Children {
        let deployment = self.seen.deployment.ours();
        desired(&Inputs {
            revision: self.revision,
            settings: self.settings,
            digests,
            system_namespace: &self.ctx.system_namespace,
            herald: &self.ctx.herald,
            reachability: reachability::reachability(self.revision, deployment, &self.verdict()),
            autoscaler: self.seen.autoscaler.ours(),
        })
    }
}

/// When to look again at images that are not known: an answer wakes the Revision, and so does an
/// edit, but a failure is asked again only by a look.
fn next_look(images: &Images) -> Action {
    match images {
        Images::Missing {
            again: Some(again), ..
        } => Action::requeue(*again),
        Images::Missing { again: None, .. } | Images::Resolving | Images::Known(_) => {
            Action::await_change()
        }
    }
}

/// Reports the status; when to look again if that is to wait. What the images are is told at once:
/// no other pass shall ask for them.
async fn store(
    ctx: &Context,
    revision: &Revision,
    old: &RevisionStatus,
    new: &RevisionStatus,
) -> Result<Option<Action>, ReconcileError> {
    let haste = if old.container_statuses == new.container_statuses {
        Haste::Patient
    } else {
        Haste::Now
    };
    match report(ctx, revision, revision.status.as_ref(), new, haste).await? {
        Reported::Later(rest) => return Ok(Some(Action::requeue(rest))),
        Reported::Unchanged | Reported::Outdated => return Ok(None),
        Reported::Written => {}
    }
    if is_ready(new) && !is_ready(old) {
        let message = "Revision becomes ready upon all resources being ready";
        ctx.events
            .publish(revision, EventKind::Normal, "RevisionReady", message)
            .await;
    }
    if let Some(message) = activation::news(old, new) {
        ctx.events
            .publish(revision, EventKind::Warning, COLD_START_FAILED, message)
            .await;
    }
    Ok(None)
}

fn is_ready(status: &RevisionStatus) -> bool {
    Truth::of(find(&status.conditions, READY)).is_true()
}
