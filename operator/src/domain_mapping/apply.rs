//! Brings claim, Certificate and Ingress of a DomainMapping to what is planned.

use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::domain_mapping::DomainMapping;
use crds::networking::Ingress;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use runtime::kube::apply::ApplyError;

use super::certificate::Certificate;
use super::claim::{Claim, Denial, is_of};
use super::desired;
use super::gather::Seen;
use super::plan::Plan;
use super::status::{Blocker, Outcome, Phase};
use crate::certificate::keep::keep;
use crate::context::Context;
use crate::ensured::{Ensured, ensure};
use crate::error::ReconcileError;

/// Field manager of Ingress and Certificate.
const MANAGER: &str = "fermata-domainmapping";

/// Claims the domain, orders its certificate, then applies the Ingress. Of a domain that is another
/// namespace's nothing of ours is left at the gateway, or the two would quarrel about it.
///
/// # Errors
/// What may go better next time.
pub(super) async fn apply(
    mapping: &DomainMapping,
    plan: Plan,
    seen: &Seen,
    ctx: &Context,
) -> Result<Phase, ReconcileError> {
    let claim = match plan.claim {
        Claim::Free => take(mapping, ctx).await?,
        settled @ (Claim::Held | Claim::Denied(_)) => settled,
    };
    let refusal = match &claim {
        Claim::Held => order(mapping, &plan.certificate, seen, ctx).await?,
        Claim::Free | Claim::Denied(_) => None,
    };
    let (certificate, wanted) = match refusal {
        None => (plan.certificate, plan.ingress),
        Some(why) => (plan.certificate.refused(why), Err(Blocker::Uncertified)),
    };
    let ingress = match (&claim, wanted) {
        (Claim::Held, Ok(wanted)) => apply_ingress(mapping, &wanted, seen, ctx).await?,
        (Claim::Held, Err(blocker)) => Outcome::Blocked(blocker),
        (Claim::Denied(Denial::Taken), _) => yield_to_holder(mapping, seen, ctx).await?,
        (Claim::Free | Claim::Denied(Denial::NotGiven | Denial::Refused(_)), _) => {
            Outcome::Blocked(Blocker::Unclaimed)
        }
    };
    Ok(Phase {
        url: plan.url,
        claim,
        target: plan.target,
        certificate,
        ingress,
    })
}

/// Claims the domain. A claim that the store has not heard of yet may be ours, from a moment ago, or
/// that of someone who was faster.
async fn take(mapping: &DomainMapping, ctx: &Context) -> Result<Claim, ReconcileError> {
    let (claims, claim) = (claims(ctx), desired::claim(mapping));
    let Err(error) = claims.create(&PostParams::default(), &claim).await else {
        return Ok(Claim::Held);
    };
    match ApplyError::new(&kind(), &claim.name_any(), error) {
        ApplyError::Rejected { message, .. } => Ok(Claim::Denied(Denial::Refused(message))),
        conflict @ ApplyError::Conflict { .. } => {
            let found = claims.get_opt(&claim.name_any()).await?;
            found.map_or(Err(conflict.into()), |found| Ok(Claim::by(mapping, &found)))
        }
        error @ (ApplyError::Transient { .. } | ApplyError::Ending { .. }) => Err(error.into()),
    }
}

/// Some: the API server refuses the order, in its words.
async fn order(
    mapping: &DomainMapping,
    certificate: &Certificate,
    seen: &Seen,
    ctx: &Context,
) -> Result<Option<String>, ApplyError> {
    let Some(order) = certificate.order() else {
        return Ok(None);
    };
    match keep(ctx, MANAGER, mapping, order, &seen.certificate).await? {
        Ensured::There(_) => Ok(None),
        Ensured::Refused(why) => Ok(Some(why)),
    }
}

async fn apply_ingress(
    mapping: &DomainMapping,
    wanted: &Ingress,
    seen: &Seen,
    ctx: &Context,
) -> Result<Outcome, ApplyError> {
    let parent = (mapping, "Ingress");
    Ok(
        match ensure(ctx, MANAGER, parent, wanted, &seen.ingress).await? {
            Ensured::There(ingress) => Outcome::Applied(ingress),
            Ensured::Refused(why) => Outcome::Blocked(Blocker::Refused(why)),
        },
    )
}

/// Takes our Ingress away. Not on the word of the store alone, which may be behind: what serves is
/// not taken away by mistake.
async fn yield_to_holder(
    mapping: &DomainMapping,
    seen: &Seen,
    ctx: &Context,
) -> Result<Outcome, ReconcileError> {
    if let Some(ingress) = seen.ingress.ours() {
        let claim = claims(ctx).get_opt(&mapping.name_any()).await?;
        if claim.is_none_or(|claim| is_of(mapping, &claim)) {
            let what = "the claim of the domain has changed hands".to_owned();
            return Err(ReconcileError::NotYet { what });
        }
        delete_ingress(ingress, ctx).await?;
    }
    Ok(Outcome::Yielded)
}

/// Deletes `ingress` as it was seen; one that is gone already is no failure.
pub(super) async fn delete_ingress(ingress: &Ingress, ctx: &Context) -> Result<(), ApplyError> {
    let (name, namespace) = (ingress.name_any(), ingress.namespace().unwrap_or_default());
    let api = Api::<Ingress>::namespaced(ctx.client.clone(), &namespace);
    let deleted = api.delete(&name, &this_one(ingress)).await;
    gone(deleted.map(drop), &Ingress::kind(&()), &name)
}

/// Gives the domain back, if our namespace has it. The API server is asked: the store may not have
/// heard of a claim that we made a moment ago, and a claim that is left behind stays for ever.
///
/// # Errors
/// What may go better next time.
pub(super) async fn give_back(
    mapping: &DomainMapping,
    ctx: &Context,
) -> Result<(), ReconcileError> {
    let (claims, name) = (claims(ctx), mapping.name_any());
    let found = claims.get_opt(&name).await?;
    if let Some(claim) = found.filter(|claim| is_of(mapping, claim)) {
        let deleted = claims.delete(&name, &this_one(&claim)).await;
        gone(deleted.map(drop), &kind(), &name)?;
    }
    Ok(())
}

/// Deletion of this very object, not of one that took its name since.
fn this_one(object: &impl ResourceExt) -> DeleteParams {
    DeleteParams::background().preconditions(Preconditions {
        uid: object.uid(),
        resource_version: None,
    })
}

fn gone(deleted: kube::Result<()>, kind: &str, name: &str) -> Result<(), ApplyError> {
    match deleted {
        Ok(()) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ApplyError::new(kind, name, error)),
    }
}

fn claims(ctx: &Context) -> Api<ClusterDomainClaim> {
    Api::all(ctx.client.clone())
}

fn kind() -> String {
    ClusterDomainClaim::kind(&()).into_owned()
}
