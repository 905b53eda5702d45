//! Certificates that a namespace owns (contract/control-plane 2.11): one for all hosts of its
//! Routes below a domain (`namespace-wildcard-cert-selector`), and one for the connections between
//! the system's parts and its pods (`system-internal-tls`).
//!
//! ```text
//! Namespace N ─┬─ Certificate N.<domain>            *.N.<domain>
//!              ├─ Certificate serving-certs         pods of N, once N has a Revision
//!              └─ Certificate routing-serving-certs activators; in the system's namespace
//! ```
//!
//! Certificates of the system stay when the feature goes: pods may still use them.

mod plan;
#[cfg(test)]
mod tests;
mod wake;
mod wildcard;

use std::sync::Arc;

use crds::certificate::Certificate;
use crds::revision::Revision;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use runtime::kube::event::EventKind;

use self::plan::{Seen, plan};
pub(crate) use self::wake::{of_certificate, of_revision};
use crate::certificate::keep::{discard, keep};
use crate::context::Context;
use crate::error::ReconcileError;

/// Field manager of the Certificates.
const MANAGER: &str = "fermata-namespace-certificate";

/// Brings the Certificates of one Namespace a step closer to what the settings ask for. Safe to run
/// at any time, twice, or half-way.
///
/// gather -> plan -> apply (io)
pub(crate) async fn reconcile(
    namespace: Arc<Namespace>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if namespace.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let plan = plan(&namespace, &gather(&namespace, &ctx), &ctx.settings());
    for trouble in &plan.troubles {
        let (warning, reason) = (EventKind::Warning, "InternalError");
        ctx.events
            .publish(&*namespace, warning, reason, trouble.to_string())
            .await;
    }
    for (wanted, there) in &plan.wanted {
        keep(&ctx, MANAGER, &*namespace, wanted, there).await?;
    }
    for unwanted in &plan.unwanted {
        discard(&ctx, unwanted, "Knative Certificate").await?;
    }
    Ok(Action::await_change())
}

fn gather(namespace: &Namespace, ctx: &Context) -> Seen {
    let name = namespace.name_any();
    let is_here = |namespace: Option<&str>| namespace == Some(name.as_str());
    let certificates = &ctx.stores.certificates;
    let revision = |it: &Revision| is_here(it.meta().namespace.as_deref());
    Seen {
        certificates: certificates
            .state_filter(|it: &Certificate| is_here(it.meta().namespace.as_deref())),
        has_revision: ctx.settings().network.system_internal_tls
            && ctx.stores.revisions.find(revision).is_some(),
        is_system: name == ctx.system_namespace,
    }
}
