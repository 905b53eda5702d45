//! Route: hosts, the split of their traffic, and the Ingress that makes them answer
//! (contract/control-plane 2.9, 2.10, 3.7, 4).
//!
//! ```text
//! Route R ─┬─ Ingress R                  every host, its splits, the state of rollouts
//!          ├─ core Service R, <tag>-R    placeholders: the names resolve inside the cluster
//!          └─ Certificate route-<uid>-*  with TLS: one per host outside, one per name inside
//! ```
//!
//! A target that can't get traffic freezes the Route: the status says why, and what is served now
//! is served on.

mod apply;
mod desired;
mod gather;
mod plan;
mod rollout;
mod share;
mod site;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod wake;

pub(crate) use self::wake::under_wildcard;

use std::sync::Arc;

use crds::route::{Route, RouteStatus};
use kube::Resource;
use kube::runtime::controller::Action;
use runtime::kube::apply::write_status;

use self::apply::apply;
use self::gather::Seen;
use self::plan::plan;
use self::site::Naming;
use self::status::status;
use crate::context::Context;
use crate::error::ReconcileError;
use crate::report::{Haste, Reported, report};
use crate::unobserved;

/// Brings one Route a step closer to its spec. Safe to run at any time, twice, or half-way.
pub(crate) async fn reconcile(
    route: Arc<Route>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if route.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let (settings, now) = (ctx.settings(), ctx.now());
    let naming = Naming {
        network: &settings.network,
        domain: &settings.domain,
        cluster_domain: &ctx.cluster_domain,
    };
    let seen = Seen::gather(&route, naming, &ctx);
    let phase = match plan(&route, &seen, &settings, naming, now) {
        Ok(plan) => match apply(&route, plan, &seen, &ctx).await {
            Ok(phase) => phase,
            Err(error) => {
                mark_unobserved(&route, &ctx).await?;
                return Err(error.into());
            }
        },
        Err(phase) => *phase,
    };
    let status = status(&route, &phase, ctx.now());
    let old = route.status.as_ref();
    let served = |status: &RouteStatus| status.traffic.clone();
    let haste = if old.map(served) == Some(served(&status)) {
        Haste::Patient
    } else {
        Haste::Now
    };
    if let Reported::Later(rest) = report(&ctx, &*route, old, &status, haste).await? {
        return Ok(Action::requeue(rest));
    }
    Ok(phase.next(now))
}

/// After a pass without a verdict: takes back what was said of the old generation.
async fn mark_unobserved(route: &Route, ctx: &Context) -> Result<(), ReconcileError> {
    let mut status = route.status.clone().unwrap_or_default();
    let generation = route.meta().generation;
    let (old, observed) = (&status.conditions, status.observed_generation);
    let Some(conditions) = unobserved::conditions(old, observed, generation, ctx.now()) else {
        return Ok(());
    };
    status.conditions = conditions;
    status.observed_generation = generation;
    Ok(write_status(&ctx.client, route, &status).await?)
}
