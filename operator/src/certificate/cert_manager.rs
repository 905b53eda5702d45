//! The issuer cert-manager: the order is handed on as a Certificate of its own kind, and what it
//! says of that is said here, its HTTP-01 challenges included (contract/control-plane 3.10).
//!
//! cert-manager may come and go while we run: [`installation`] looks for it.

mod acme;
pub(crate) mod installation;
mod kind;
mod order;
mod verdict;

pub(crate) use acme::certificates_of;

use std::sync::Arc;
use std::time::Duration;

use crds::certificate::{Certificate, Http01Challenge};
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt};
use runtime::kube::apply::{Applied, ApplyError, apply};
use runtime::kube::event::EventKind;

use self::kind::CertManagerCertificate;
use self::verdict::Verdict;
use super::class::BUILT_IN;
use super::report::Report;
use crate::child::Child;
use crate::context::Context;
use crate::error::ReconcileError;

/// Field manager of cert-manager's Certificates.
const MANAGER: &str = "fermata-certificate";
/// How long what is in the way is left alone.
const TAKEN: Duration = Duration::from_secs(30);

/// Hands the order on, and tells what became of it.
pub(super) async fn reconcile(
    certificate: &Certificate,
    ctx: &Context,
) -> Result<Action, ReconcileError> {
    if !ctx.cert_manager.is_there() {
        // Its coming wakes all Certificates.
        not_installed().write(certificate, ctx).await?;
        return Ok(Action::await_change());
    }
    let wanted = match order::order(certificate, &ctx.settings().certmanager) {
        Ok(wanted) => wanted,
        Err(refusal) => {
            refusal.report().write(certificate, ctx).await?;
            return Ok(Action::await_change());
        }
    };
    let name = wanted.name_any();
    let api = api(ctx, certificate);
    let uid = certificate.meta().uid.as_deref();
    let found = match api.get_opt(&name).await {
        // It is on its way out, and this comes before the word of it.
        Err(kube::Error::Api(status)) if status.code == 404 => {
            not_installed().write(certificate, ctx).await?;
            return Ok(Action::requeue(TAKEN));
        }
        found => found?,
    };
    let there = Child::of(found.map(Arc::new), uid);
    if there.is_foreign() {
        let report = Report::not_owned("CertManagerCertificate", &name);
        report.write(certificate, ctx).await?;
        return Ok(Action::requeue(TAKEN));
    }
    let now = ctx.now();
    let verdict = match hand_on(certificate, &wanted, &there, ctx).await? {
        Ok(theirs) => Verdict::of(&theirs, now),
        Err(why) => Verdict::Failed("CreationFailed".to_owned(), why),
    };
    let challenges: Vec<Http01Challenge> = match verdict.is_settled() {
        true => Vec::new(),
        false => acme::challenges(certificate, &wanted, ctx).await?,
    };
    verdict.report(challenges).write(certificate, ctx).await?;
    Ok(verdict.next(now))
}

fn not_installed() -> Report {
    let message = format!(
        "cert-manager is not installed: install it, or set certificate-class in the ConfigMap config-network to {BUILT_IN:?}"
    );
    Report::failed("CertManagerNotInstalled", message)
}

fn api(ctx: &Context, certificate: &Certificate) -> Api<CertManagerCertificate> {
    let namespace = certificate.namespace().unwrap_or_default();
    Api::namespaced(ctx.client.clone(), &namespace)
}

/// Applies the order, and tells of it. The inner error is the API server's refusal.
async fn hand_on(
    certificate: &Certificate,
    wanted: &CertManagerCertificate,
    there: &Child<CertManagerCertificate>,
    ctx: &Context,
) -> Result<Result<Arc<CertManagerCertificate>, String>, ApplyError> {
    let path = format!(
        "{}/{}",
        wanted.namespace().unwrap_or_default(),
        wanted.name_any()
    );
    let publish = async |kind, reason: &str, message: String| {
        ctx.events.publish(certificate, kind, reason, message).await;
    };
    match (
        apply(&ctx.client, MANAGER, wanted, there.ours()).await,
        there,
    ) {
        (Ok(Applied::Unchanged), Child::Ours(there)) => Ok(Ok(Arc::clone(there))),
        (Ok(Applied::Unchanged), Child::Missing | Child::Foreign) => {
            Ok(Ok(Arc::new(wanted.clone())))
        }
        (Ok(Applied::Written(object)), Child::Ours(_)) => {
            let message = format!("Updated Spec for Cert-Manager Certificate {path}");
            publish(EventKind::Normal, "Updated", message).await;
            Ok(Ok(Arc::from(object)))
        }
        (Ok(Applied::Written(object)), Child::Missing | Child::Foreign) => {
            let message = format!("Created Cert-Manager Certificate {path}");
            publish(EventKind::Normal, "Created", message).await;
            Ok(Ok(Arc::from(object)))
        }
        (Err(ApplyError::Rejected { message: why, .. }), there) => {
            let (reason, verb) = match there {
                Child::Ours(_) => ("UpdateFailed", "update"),
                Child::Missing | Child::Foreign => ("CreationFailed", "create"),
            };
            let message = format!("Failed to {verb} Cert-Manager Certificate {path}: {why}");
            publish(EventKind::Warning, reason, message).await;
            Ok(Err(why))
        }
        (Err(error), _) => Err(error),
    }
}

#[cfg(test)]
mod tests;
