//! Service: one Configuration and one Route of the same name, and what they say
//! (contract/control-plane 2.1, 3.1).
//!
//! ```text
//! Service S ─┬─ Configuration S   labels, annotations and template of the Service
//!            └─ Route S           traffic of the Service
//! ```
//!
//! Never writes the Service's spec: its generation belongs to the user.

mod desired;
mod migration;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crds::configuration::Configuration;
use crds::revision::Revision;
use crds::route::Route;
use crds::service::{Service, ServiceStatus};
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use runtime::kube::apply::write_status;
use runtime::kube::event::EventKind;

use self::status::{Phase, is_behind, news, status};
use crate::child::Child;
use crate::configuration::{byo_name, is_conflicting};
use crate::context::Context;
use crate::ensured::{Ensured, ensure, lookup};
use crate::error::ReconcileError;
use crate::report::{Haste, Reported, report};
use crate::revision::{COLD_START_FAILED, failed_activation};
use crate::unobserved;

/// Field manager of Configuration and Route.
const MANAGER: &str = "fermata-service";

/// Brings one Service a step closer to its spec. Safe to run at any time, twice, or half-way.
pub(crate) async fn reconcile(
    service: Arc<Service>,
    ctx: Arc<Context>,
) -> Result<Action, ReconcileError> {
    if service.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let seen = gather(&service, &ctx);
    let phase = match apply(&service, &seen, &ctx).await {
        Ok(phase) => phase,
        Err(error) => {
            mark_unobserved(&service, &ctx).await?;
            return Err(error);
        }
    };
    let status = status(
        &service,
        &phase,
        |name| failed(&service, name, &ctx),
        ctx.now(),
    );
    let old = service.status.as_ref();
    match report(&ctx, &*service, old, &status, Haste::Patient).await? {
        Reported::Later(rest) => return Ok(Action::requeue(rest)),
        Reported::Written => tell(&service, &status, &ctx).await,
        Reported::Unchanged | Reported::Outdated => {}
    }
    Ok(phase.next())
}

/// Tells people what the new status is news of.
async fn tell(service: &Service, new: &ServiceStatus, ctx: &Context) {
    let old = service
        .status
        .as_ref()
        .map_or(&[][..], |old| &old.conditions);
    if let Some(message) = news(old, &new.conditions) {
        ctx.events
            .publish(service, EventKind::Warning, COLD_START_FAILED, message)
            .await;
    }
}

/// Why the last activation of the revision of that name has failed, if it has.
fn failed(service: &Service, name: &str, ctx: &Context) -> Option<(String, String)> {
    let namespace = service.namespace().unwrap_or_default();
    let revision = lookup(&ctx.stores.revisions, &namespace, name)?;
    failed_activation(revision.status.as_ref()?)
}

/// After a pass without a verdict: takes back what was said of the old generation.
async fn mark_unobserved(service: &Service, ctx: &Context) -> Result<(), ReconcileError> {
    let mut status = service.status.clone().unwrap_or_default();
    let generation = service.meta().generation;
    let (old, observed) = (&status.conditions, status.observed_generation);
    let Some(conditions) = unobserved::conditions(old, observed, generation, ctx.now()) else {
        return Ok(());
    };
    status.conditions = conditions;
    status.observed_generation = generation;
    Ok(write_status(&ctx.client, service, &status).await?)
}

/// What a Service needs to know of the world.
struct Seen {
    configuration: Child<Configuration>,
    route: Child<Route>,
    /// The Revision under the name that the template chooses, if it chooses one.
    named: Option<Arc<Revision>>,
}

fn gather(service: &Service, ctx: &Context) -> Seen {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let uid = service.meta().uid.as_deref();
    let stores = &ctx.stores;
    Seen {
        configuration: Child::of(lookup(&stores.configurations, &namespace, &name), uid),
        route: Child::of(lookup(&stores.routes, &namespace, &name), uid),
        named: byo_name(&service.spec.template)
            .and_then(|revision| lookup(&stores.revisions, &namespace, revision)),
    }
}

/// Applies the Configuration and, unless there is a reason to stop, the Route.
async fn apply(service: &Service, seen: &Seen, ctx: &Context) -> Result<Phase, ReconcileError> {
    if seen.configuration.is_foreign() {
        return Ok(Phase::ConfigurationTaken);
    }
    let current = &seen.configuration;
    let wanted = desired::configuration(service, current.ours());
    let configuration =
        match ensure(ctx, MANAGER, (service, "Configuration"), &wanted, current).await? {
            Ensured::There(configuration) => configuration,
            Ensured::Refused(why) => return Ok(Phase::ConfigurationRefused(why)),
        };
    if let Some(stop) = reason_to_stop(service, seen, &configuration) {
        return Ok(stop);
    }
    let wanted = desired::route(service);
    Ok(
        match ensure(ctx, MANAGER, (service, "Route"), &wanted, &seen.route).await? {
            Ensured::There(route) => Phase::Routed(configuration, route),
            Ensured::Refused(why) => Phase::RouteRefused(configuration, why),
        },
    )
}

/// Why the Route must not be touched in this pass, if so.
fn reason_to_stop(
    service: &Service,
    seen: &Seen,
    configuration: &Arc<Configuration>,
) -> Option<Phase> {
    if let Some(name) = byo_name(&service.spec.template) {
        if is_behind(configuration) {
            return Some(Phase::ConfigurationBehind(Arc::clone(configuration)));
        }
        let taken = |revision: &Arc<Revision>| is_conflicting(configuration, revision);
        if seen.named.as_ref().is_some_and(taken) {
            return Some(Phase::RevisionNameTaken(
                Arc::clone(configuration),
                name.to_owned(),
            ));
        }
    }
    seen.route
        .is_foreign()
        .then(|| Phase::RouteTaken(Arc::clone(configuration)))
}
