//! Brings a Certificate to what its parent wants.

use std::sync::Arc;

use crds::certificate::Certificate;
use crds::name::networking;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use runtime::kube::apply::{Applied, ApplyError, apply};
use runtime::kube::event::EventKind;

use crate::child::Child;
use crate::context::Context;
use crate::ensured::Ensured;

/// Applies `wanted` where `current` differs, and tells of it on `parent`. A change of the issuer
/// makes a new Certificate: the old one goes, and with it what its issuer made. The caller has
/// made sure that `current` is not foreign.
///
/// # Errors
/// What may go better next time; a refusal is a value.
pub(crate) async fn keep<P>(
    ctx: &Context,
    manager: &str,
    parent: &P,
    wanted: &Certificate,
    current: &Child<Certificate>,
) -> Result<Ensured<Certificate>, ApplyError>
where
    P: Resource<DynamicType = ()>,
{
    if let Child::Ours(old) = current
        && has_other_issuer(wanted, old)
    {
        remove(ctx, old).await?;
        // Its end wakes the parent, which then finds the name free.
        return Ok(Ensured::There(Arc::clone(old)));
    }
    let path = path(wanted);
    let publish = async |kind, reason: &str, message: String| {
        ctx.events.publish(parent, kind, reason, message).await;
    };
    match (
        apply(&ctx.client, manager, wanted, current.ours()).await,
        current,
    ) {
        (Ok(Applied::Unchanged), Child::Ours(current)) => Ok(Ensured::There(Arc::clone(current))),
        (Ok(Applied::Unchanged), Child::Missing | Child::Foreign) => {
            Ok(Ensured::There(Arc::new(wanted.clone())))
        }
        (Ok(Applied::Written(object)), Child::Ours(_)) => {
            let message = format!("Updated Spec for Certificate {path}");
            publish(EventKind::Normal, "Updated", message).await;
            Ok(Ensured::There(Arc::from(object)))
        }
        (Ok(Applied::Written(object)), Child::Missing | Child::Foreign) => {
            publish(
                EventKind::Normal,
                "Created",
                format!("Created Certificate {path}"),
            )
            .await;
            Ok(Ensured::There(Arc::from(object)))
        }
        (Err(ApplyError::Rejected { message: why, .. }), current) => {
            let (reason, verb) = match current {
                Child::Ours(_) => ("UpdateFailed", "update"),
                Child::Missing | Child::Foreign => ("CreationFailed", "create"),
            };
            let message = format!("Failed to {verb} Certificate {path}: {why}");
            publish(EventKind::Warning, reason, message).await;
            Ok(Ensured::Refused(why))
        }
        (Err(error), _) => Err(error),
    }
}

/// Deletes a Certificate that nobody wants, and tells of it on the Certificate as a `noun`.
///
/// # Errors
/// What may go better next time.
pub(crate) async fn discard(
    ctx: &Context,
    certificate: &Certificate,
    noun: &str,
) -> Result<(), ApplyError> {
    let path = path(certificate);
    let removed = remove(ctx, certificate).await;
    let (reason, message) = match &removed {
        Ok(()) => ("Deleted", format!("Deleted {noun} {path}")),
        Err(error) => {
            let why = error.message();
            (
                "DeleteFailed",
                format!("Failed to delete {noun} {path}: {why}"),
            )
        }
    };
    ctx.events
        .publish(certificate, EventKind::Normal, reason, message)
        .await;
    removed
}

fn has_other_issuer(wanted: &Certificate, current: &Certificate) -> bool {
    let class = |it: &Certificate| it.annotations().get(networking::CERTIFICATE_CLASS).cloned();
    class(wanted) != class(current)
}

/// Deletes this very Certificate; one that is gone already is no failure.
async fn remove(ctx: &Context, certificate: &Certificate) -> Result<(), ApplyError> {
    let name = certificate.name_any();
    let namespace = certificate.namespace().unwrap_or_default();
    let api = Api::<Certificate>::namespaced(ctx.client.clone(), &namespace);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: certificate.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ApplyError::new("Certificate", &name, error)),
    }
}

fn path(certificate: &Certificate) -> String {
    let namespace = certificate.namespace().unwrap_or_default();
    format!("{namespace}/{}", certificate.name_any())
}
