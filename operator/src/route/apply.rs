//! Brings the children of a Route to what is planned.

use crds::networking::Ingress;
use crds::route::Route;
use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::api::DeleteParams;
use kube::{Api, Resource, ResourceExt};
use runtime::kube::apply::{ApplyError, Written, create};

use super::desired::placeholder::{Backing, backing, endpoints, reborn, service};
use super::gather::Seen;
use super::plan::Plan;
use super::site::Site;
use super::status::{Blocker, Phase};
use crate::certificate::keep::{discard, keep};
use crate::child::Child;
use crate::context::Context;
use crate::ensured::{Ensured, ensure};

/// Field manager of Ingress, Certificates, placeholder Services and their Endpoints.
const MANAGER: &str = "fermata-route";
/// Field manager of a placeholder that had to be created anew. Another one, so that what the user
/// had put on it does not count as ours.
const REBIRTH: &str = "fermata-route-rebirth";

/// Applies the Certificates, then the Ingress, then the placeholders, which lead to where the
/// Ingress says that the gateway is; last, what belongs to names that are gone goes.
///
/// # Errors
/// What may go better next time.
pub(super) async fn apply(
    route: &Route,
    plan: Plan,
    seen: &Seen,
    ctx: &Context,
) -> Result<Phase, ApplyError> {
    if let Some(blocker) = apply_certificates(route, &plan, seen, ctx).await? {
        return Ok(Phase::Blocked(plan.own, blocker));
    }
    let parent = (route, "Ingress");
    let ingress = match ensure(ctx, MANAGER, parent, &plan.ingress, &seen.ingress).await? {
        Ensured::There(ingress) => ingress,
        Ensured::Refused(why) => return Ok(Phase::Blocked(plan.own, Blocker::Refused(why))),
    };
    for site in plan.sites.values() {
        if let Some(why) = apply_placeholder(route, site, &ingress, seen, ctx).await? {
            return Ok(Phase::Blocked(plan.own, Blocker::Refused(why)));
        }
    }
    delete_orphans(&plan, seen, ctx).await?;
    for certificate in &plan.tls.unwanted {
        discard(ctx, certificate, "orphaned Knative Certificate").await?;
    }
    Ok(plan.routed(ingress))
}

/// Some: the API server refuses one.
async fn apply_certificates(
    route: &Route,
    plan: &Plan,
    seen: &Seen,
    ctx: &Context,
) -> Result<Option<Blocker>, ApplyError> {
    for wanted in &plan.tls.wanted {
        let name = wanted.name_any();
        let there = seen.certificates.own.get(&name).unwrap_or(&Child::Missing);
        match keep(ctx, MANAGER, route, wanted, there).await? {
            Ensured::There(_) => {}
            Ensured::Refused(why) => return Ok(Some(Blocker::CertificateRefused(name, why))),
        }
    }
    Ok(None)
}

/// Applies the placeholder of one name. Some: the API server refuses it, in its words.
async fn apply_placeholder(
    route: &Route,
    site: &Site,
    ingress: &Ingress,
    seen: &Seen,
    ctx: &Context,
) -> Result<Option<String>, ApplyError> {
    let there = seen.services.get(&site.name).unwrap_or(&Child::Missing);
    let before = there.ours().and_then(Backing::of);
    let found = backing(site, ingress.status.as_ref(), there.ours());
    // Without a gateway it leads where it led, and gets new labels and annotations only.
    let Some(wanted) = found.as_ref().or(before.as_ref()) else {
        return Ok(None);
    };
    if let (Some(old), Some(before)) = (there.ours(), &before)
        && before.is_fixed(wanted)
    {
        delete(old, ctx).await?;
        create(&ctx.client, REBIRTH, &reborn(route, site, wanted, old)).await?;
        // The new one wakes the Route, which then takes it over.
        return Ok(None);
    }
    let object = service(route, site, wanted, there.ours());
    let parent = (route, "placeholder service");
    match ensure(ctx, MANAGER, parent, &object, there).await? {
        Ensured::There(_) => apply_endpoints(route, site, found.as_ref(), seen, ctx).await,
        Ensured::Refused(why) => Ok(Some(why)),
    }
}

/// Applies the Endpoints of a placeholder that leads to an address, and deletes those of one that
/// leads elsewhere. Some: the API server refuses them, in its words.
async fn apply_endpoints(
    route: &Route,
    site: &Site,
    found: Option<&Backing>,
    seen: &Seen,
    ctx: &Context,
) -> Result<Option<String>, ApplyError> {
    let there = seen.endpoints.get(&site.name).unwrap_or(&Child::Missing);
    match (found, there) {
        (Some(Backing::Address(address)), _) => {
            let object = endpoints(route, site, address, there.ours());
            let parent = (route, "placeholder endpoints");
            Ok(match ensure(ctx, MANAGER, parent, &object, there).await? {
                Ensured::There(_) => None,
                Ensured::Refused(why) => Some(why),
            })
        }
        (Some(Backing::Name(_) | Backing::Mesh), Child::Ours(leftover)) => {
            delete::<Endpoints>(leftover, ctx).await?;
            Ok(None)
        }
        (Some(Backing::Name(_) | Backing::Mesh), Child::Missing | Child::Foreign) | (None, _) => {
            Ok(None)
        }
    }
}

async fn delete_orphans(plan: &Plan, seen: &Seen, ctx: &Context) -> Result<(), ApplyError> {
    let is_wanted = |name: &str| plan.sites.values().any(|site| site.name == name);
    for (name, child) in &seen.services {
        if let Some(service) = child.ours().filter(|_| !is_wanted(name)) {
            delete::<Service>(service, ctx).await?;
        }
    }
    for (name, child) in &seen.endpoints {
        if let Some(endpoints) = child.ours().filter(|_| !is_wanted(name)) {
            delete::<Endpoints>(endpoints, ctx).await?;
        }
    }
    Ok(())
}

/// Deletes an object of ours; one that is gone already is no failure.
async fn delete<K: Written>(object: &K, ctx: &Context) -> Result<(), ApplyError> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let api = Api::<K>::namespaced(ctx.client.clone(), &namespace);
    match api.delete(&name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ApplyError::new(&<K as Resource>::kind(&()), &name, error)),
    }
}
