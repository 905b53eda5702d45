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
use std::time::Duration;

use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use crds::route::Route;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use self::mark::{Marks, Seen, marks};
use self::patch::{Marked, merge};
pub(crate) use self::state::{RoutingState, seconds};
use crate::context::Context;
use crate::error::ReconcileError;
use crate::finalizer::{self, Holding};

/// How long until a mark that the API server refused is tried again.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// Brings the marks of one Route up to date, and clears them before it goes. Safe to run at any
/// time, twice, or half-way.
pub(crate) async fn reconcile(
    route: Arc<Route>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let is_leaving = route.meta().deletion_timestamp.is_some();
    if is_leaving && !finalizer::holds(&*route, serving::ROUTE_FINALIZER) {
        return Ok(Action::await_change());
    }
    if !is_leaving
        && finalizer::hold(&ctx, &*route, serving::ROUTE_FINALIZER).await? == Holding::Gone
    {
        return Ok(Action::await_change());
    }
    let marks = marks(&route, &gather(&route, &ctx), ctx.now());
    let marked = apply(&route, &marks, &ctx).await?;
    if is_leaving {
        finalizer::release(&ctx, &*route, serving::ROUTE_FINALIZER).await?;
    }
    Ok(match marked {
        Marked::Yes => Action::await_change(),
        Marked::Refused => Action::requeue(REFUSED_AGAIN),
    })
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

/// Sets every mark; refused if one of them was.
async fn apply(route: &Route, marks: &Marks, ctx: &Context) -> Result<Marked, ReconcileError> {
    let namespace = route.namespace().unwrap_or_default();
    let mut outcomes = Vec::new();
    for (name, change) in &marks.configurations {
        outcomes.push(merge::<Configuration>(&ctx.client, &namespace, name, change).await?);
    }
    for (name, change) in &marks.revisions {
        outcomes.push(merge::<Revision>(&ctx.client, &namespace, name, change).await?);
    }
    let refused = outcomes.contains(&Marked::Refused);
    Ok(if refused {
        Marked::Refused
    } else {
        Marked::Yes
    })
}
