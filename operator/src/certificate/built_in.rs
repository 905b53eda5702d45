//! The issuer in this process: signs with an authority that it keeps in a Secret of the system's
//! namespace, and renews in time. Needs nobody else; clients must be told to trust the authority.

mod issued;
mod root;

pub(crate) use root::SECRET as ROOT_SECRET;

use std::sync::Arc;
use std::time::Duration;

use crds::certificate::Certificate;
use crds::condition::Truth;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use runtime::kube::apply::{Applied, ApplyError, apply, create};
use runtime::kube::event::EventKind;

use self::issued::{Judgement, judge};
use self::root::{Found, Root};
use super::authority::Authority;
use super::report::Report;
use crate::context::Context;
use crate::ensured::lookup;
use crate::error::ReconcileError;

/// Field manager of the Secrets.
const MANAGER: &str = "fermata-certificate";
/// How long a Secret that is taken is left alone.
const TAKEN: Duration = Duration::from_secs(30);

/// Issues, renews, or leaves alone.
pub(super) async fn reconcile(
    certificate: &Certificate,
    ctx: &Context,
) -> Result<Action, ReconcileError> {
    let now = ctx.now();
    let Some(root) = usable_root(ctx, now).await? else {
        let message = format!(
            "Secret {}/{ROOT_SECRET} was not made by this controller: remove it, and a new authority is made",
            ctx.system_namespace
        );
        let report = Report::failed("AuthorityNotOwned", message);
        report.write(certificate, ctx).await?;
        return Ok(Action::await_change());
    };
    let report = match seen(certificate, &root, ctx, now).await? {
        (Judgement::Holds(end), _) => ready(end),
        (Judgement::Taken, _) => Report::not_owned("Secret", &certificate.spec.secret_name),
        (Judgement::Due, stored) => issue(certificate, &root, stored.as_ref(), ctx, now).await?,
    };
    report.write(certificate, ctx).await?;
    Ok(next(&report, now))
}

fn ready(end: Timestamp) -> Report {
    Report {
        not_after: Some(end),
        ..Report::new(Truth::True)
    }
}

/// When to look again without a change: when it is time to renew; a Secret that is taken may become
/// free without our seeing it.
fn next(report: &Report, now: Timestamp) -> Action {
    match report.not_after {
        Some(end) => {
            let left = now.duration_until(issued::renewal(end));
            Action::requeue(Duration::try_from(left).unwrap_or_default())
        }
        None if report.ready.is_false() => Action::requeue(TAKEN),
        None => Action::await_change(),
    }
}

/// The authority; made if there is none, replaced in time. None: someone else's Secret has its
/// place.
async fn usable_root(ctx: &Context, now: Timestamp) -> Result<Option<Box<Root>>, ReconcileError> {
    let stored = lookup(
        &ctx.stores.certificate_root,
        &ctx.system_namespace,
        ROOT_SECRET,
    );
    let (previous, stored) = match root::find(stored.as_deref(), now) {
        Found::Usable(root) => return Ok(Some(root)),
        Found::Foreign => return Ok(None),
        Found::Missing => (None, None),
        Found::Ending(previous) => (Some(previous), stored),
    };
    let fresh =
        Authority::create(root::NAME, now, root::LIFETIME).map_err(|error| unable(&error))?;
    let secret = root::secret(
        &ctx.system_namespace,
        &fresh,
        previous.as_ref(),
        stored.as_deref(),
    );
    // Of several who do this at once one succeeds; the others' writes are conflicts.
    match stored {
        None => {
            create(&ctx.client, MANAGER, &secret).await?;
        }
        Some(stored) => {
            apply(&ctx.client, MANAGER, &secret, Some(&*stored)).await?;
        }
    }
    tracing::info!(
        secret = ROOT_SECRET,
        "Made a new authority for certificates"
    );
    match root::find(Some(&secret), now) {
        Found::Usable(root) => Ok(Some(root)),
        Found::Missing | Found::Foreign | Found::Ending(_) => Err(ReconcileError::NotYet {
            what: "the new authority can't be read".to_owned(),
        }),
    }
}

/// The Secret, and what it is worth. The store may be behind: before something is issued, the API
/// server is asked.
async fn seen(
    certificate: &Certificate,
    root: &Root,
    ctx: &Context,
    now: Timestamp,
) -> Result<(Judgement, Option<Secret>), ReconcileError> {
    let namespace = certificate.namespace().unwrap_or_default();
    let name = &certificate.spec.secret_name;
    let known: Option<Arc<Secret>> = lookup(&ctx.stores.certificate_secrets, &namespace, name);
    if let Judgement::Holds(end) = judge(certificate, known.as_deref(), root, now) {
        return Ok((Judgement::Holds(end), None));
    }
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &namespace);
    let stored = api.get_opt(name).await?;
    Ok((judge(certificate, stored.as_ref(), root, now), stored))
}

async fn issue(
    certificate: &Certificate,
    root: &Root,
    stored: Option<&Secret>,
    ctx: &Context,
    now: Timestamp,
) -> Result<Report, ReconcileError> {
    let names = &certificate.spec.dns_names;
    let certified = match root.authority.issue(names, now, issued::LIFETIME) {
        Ok(certified) => certified,
        Err(error) => {
            let message = format!("no certificate can have the names {names:?}: {error}");
            return Ok(Report::failed("InvalidNames", message));
        }
    };
    let secret = issued::secret(certificate, root, &certified);
    match apply(&ctx.client, MANAGER, &secret, stored).await {
        Ok(Applied::Unchanged | Applied::Written(_)) => {}
        Err(ApplyError::Rejected { message, .. }) => {
            let message = format!("Failed to write Secret {:?}: {message}", secret.name_any());
            return Ok(Report::failed("SecretRefused", message));
        }
        Err(error) => return Err(error.into()),
    }
    let end = certified.not_after;
    let message = format!("Issued a certificate for {} until {end}", names.join(", "));
    ctx.events
        .publish(certificate, EventKind::Normal, "Issued", message)
        .await;
    Ok(ready(end))
}

fn unable(error: &rcgen::Error) -> ReconcileError {
    ReconcileError::NotYet {
        what: format!("no authority can be made: {error}"),
    }
}

#[cfg(test)]
mod tests;
