//! Labeler: tells Configurations and Revisions which Routes refer to them
//! (contract/control-plane 2.3).
//!
//! ```text
//! Route R ── spec.traffic, status.traffic ──► annotation routes: "…,R"   (Configuration, Revision)
//!                                             label routingState: active (Revision)
//! ```
//!
//! Marks are set as soon as a Route asks for something, and taken away only when the Route has
//! come to an end with its current generation: what still gets requests is never `reserve`.

mod mark;
mod patch;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use crds::route::Route;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use runtime::kube::event::EventKind;

use self::mark::{Marks, Seen, marks};
pub(crate) use self::state::{RoutingState, seconds};
use crate::context::Context;
use crate::error::ReconcileError;

/// Brings the marks of one Route up to date, and clears them before it goes. Safe to run at any
/// time, twice, or half-way.
pub(crate) async fn reconcile(
    route: Arc<Route>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let is_held = route
        .finalizers()
        .iter()
        .any(|it| it == serving::ROUTE_FINALIZER);
    let is_leaving = route.meta().deletion_timestamp.is_some();
    if is_leaving && !is_held {
        return Ok(Action::await_change());
    }
    if !is_held {
        set_finalizers(&route, &ctx, with_finalizer(&route)).await?;
    }
    let marks = marks(&route, &gather(&route, &ctx), ctx.now());
    apply(&route, &marks, &ctx).await?;
    if is_leaving {
        set_finalizers(&route, &ctx, without_finalizer(&route)).await?;
    }
    Ok(Action::await_change())
}

/// Configurations and Revisions of the Route's namespace.
fn gather(route: &Route, ctx: &Context) -> Seen {
    let namespace = route.meta().namespace.as_deref();
    let configurations = &ctx.stores.configurations;
    let revisions = &ctx.stores.revisions;
    Seen::new(
        configurations
            .state_filter(|it: &Configuration| it.metadata.namespace.as_deref() == namespace),
        revisions.state_filter(|it: &Revision| it.metadata.namespace.as_deref() == namespace),
    )
}

async fn apply(route: &Route, marks: &Marks, ctx: &Context) -> Result<(), ReconcileError> {
    let namespace = route.namespace().unwrap_or_default();
    for (name, change) in &marks.configurations {
        patch::merge::<Configuration>(&ctx.client, &namespace, name, change).await?;
    }
    for (name, change) in &marks.revisions {
        patch::merge::<Revision>(&ctx.client, &namespace, name, change).await?;
    }
    Ok(())
}

fn with_finalizer(route: &Route) -> Vec<String> {
    let ours = serving::ROUTE_FINALIZER.to_owned();
    route.finalizers().iter().cloned().chain([ours]).collect()
}

fn without_finalizer(route: &Route) -> Vec<String> {
    let others = route
        .finalizers()
        .iter()
        .filter(|it| *it != serving::ROUTE_FINALIZER);
    others.cloned().collect()
}

async fn set_finalizers(
    route: &Route,
    ctx: &Context,
    finalizers: Vec<String>,
) -> Result<(), ReconcileError> {
    patch::finalizers(&ctx.client, route, finalizers).await?;
    let message = format!("Updated {:?} finalizers", route.name_any());
    ctx.events
        .publish(route, EventKind::Normal, "FinalizerUpdate", message)
        .await;
    Ok(())
}
