//! DomainMapping: a domain of one's own for a Service (contract/control-plane 2.12, 3.8, 4.10).
//!
//! ```text
//! DomainMapping D ─┬─ ClusterDomainClaim D    the domain is this namespace's; the first one has it
//!    │             ├─ Certificate D           with TLS, unless the user brings one
//!    │             └─ Ingress D               host D ──► K-Original-Host: D, Host: the address of X
//!    └─ spec.ref ─► X: a Service, a Route, a core Service, anything with an address
//! ```
//!
//! No owner leads from a claim to its mapping: a claim has no namespace. A finalizer gives it back.

mod apply;
mod certificate;
mod claim;
mod desired;
mod farewell;
mod gather;
mod plan;
mod reference;
mod referent;
mod status;
#[cfg(test)]
mod tests;
mod wake;

use std::sync::Arc;

use crds::domain_mapping::DomainMapping;
use crds::name::serving::DOMAIN_MAPPING_FINALIZER;
use kube::Resource;
use kube::runtime::controller::Action;
use runtime::kube::apply::write_status;
use runtime::kube::event::EventKind;

use self::apply::apply;
use self::gather::Seen;
use self::plan::plan;
use self::status::status;
pub(crate) use self::wake::mappings_to_look_at;
use crate::context::Context;
use crate::error::ReconcileError;
use crate::finalizer::{self, Holding};
use crate::unobserved;

/// Brings one DomainMapping a step closer to its spec. Safe to run at any time, twice, or half-way.
///
/// gather (io) -> plan -> apply (io) -> status (io)
pub(crate) async fn reconcile(
    mapping: Arc<DomainMapping>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if mapping.meta().deletion_timestamp.is_some() {
        farewell::part(&mapping, &ctx).await?;
        return Ok(Action::await_change());
    }
    // Before the claim: a claim whose mapping went unseen would block its domain for ever.
    if finalizer::hold(&ctx, &*mapping, DOMAIN_MAPPING_FINALIZER).await? == Holding::Gone {
        return Ok(Action::await_change());
    }
    let passed = pass(&mapping, &ctx).await;
    if passed.is_err() {
        mark_unobserved(&mapping, &ctx).await?;
    }
    passed
}

async fn pass(mapping: &DomainMapping, ctx: &Context) -> Result<Action, ReconcileError> {
    let (settings, domain) = (ctx.settings(), &ctx.cluster_domain);
    let seen = Seen::gather(mapping, ctx).await?;
    let plan = plan(mapping, &seen, &settings.network, domain);
    let phase = apply(mapping, plan, &seen, ctx).await?;
    let status = status(mapping, &phase, ctx.now());
    if mapping.status.as_ref() != Some(&status) {
        write_status(&ctx.client, mapping, &status).await?;
        if let Some(trouble) = phase.trouble(mapping) {
            let (warning, reason) = (EventKind::Warning, "InternalError");
            ctx.events.publish(mapping, warning, reason, trouble).await;
        }
    }
    Ok(phase.next(mapping, &status, ctx.now()))
}

/// After a pass without a verdict: takes back what was said of the old generation.
async fn mark_unobserved(mapping: &DomainMapping, ctx: &Context) -> Result<(), ReconcileError> {
    let mut status = mapping.status.clone().unwrap_or_default();
    let generation = mapping.meta().generation;
    let (old, observed) = (&status.conditions, status.observed_generation);
    let Some(conditions) = unobserved::conditions(old, observed, generation, ctx.now()) else {
        return Ok(());
    };
    status.conditions = conditions;
    status.observed_generation = generation;
    Ok(write_status(&ctx.client, mapping, &status).await?)
}
