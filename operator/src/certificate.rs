//! Certificate: the order to an issuer for one certificate, and the issuers
//! (contract/control-plane 2.11, 3.10).
//!
//! ```text
//! Route, DomainMapping, Namespace ── Certificate ─┬─ class fermata ────── Secret
//!                                                 └─ class cert-manager ─ cert-manager's Certificate ─ Secret
//! ```
//!
//! Who wants a certificate writes an order ([`order`]), keeps it ([`keep`]) and asks how it stands
//! ([`standing`]). The issuer is chosen by class ([`class`]): our own needs nobody ([`built_in`]),
//! the other hands the order on to cert-manager ([`cert_manager`]).

pub(crate) mod authority;
pub(crate) mod built_in;
pub(crate) mod cert_manager;
pub(crate) mod challenge;
pub(crate) mod class;
pub(crate) mod keep;
pub(crate) mod order;
mod report;
pub(crate) mod standing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crds::certificate::Certificate;
use kube::Resource;
use kube::runtime::controller::Action;

use self::class::Issuer;
use crate::context::Context;
use crate::error::ReconcileError;

/// Brings one Certificate a step closer to its Secret. Safe to run at any time, twice, or half-way.
pub(crate) async fn reconcile(
    certificate: Arc<Certificate>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if certificate.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    match Issuer::of(&certificate, &ctx.settings().network) {
        Issuer::BuiltIn => built_in::reconcile(&certificate, &ctx).await,
        Issuer::CertManager => cert_manager::reconcile(&certificate, &ctx).await,
        Issuer::Other => Ok(Action::await_change()),
    }
}
