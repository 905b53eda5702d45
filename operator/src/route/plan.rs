//! The plan of a pass: everything that follows from what is there, without io.

use std::sync::Arc;

use crds::config::Settings;
use crds::duration::Nanos;
use crds::name::serving;
use crds::networking::{HttpOption, Ingress};
use crds::route::Route;
use jiff::Timestamp;
use kube::ResourceExt;

use super::desired::ingress;
use super::desired::placeholder::{Backing, backing, has_own_visibility};
use super::gather::{Seen, rollout_of, tags};
use super::rollout::{Moment, Rollout};
use super::share::{Shares, goal, shares, status_traffic};
use super::site::{HostError, Naming, Site, Sites, name_of, site};
use super::status::{Blocker, Own, Phase, Rolling, Routed, is_ingress_ready};
use super::target::{Target, targets};
use super::tls::{Tls, secure};
use crate::child::Child;
use crate::gateway::http_option;

/// The other spelling of [`serving::ROLLOUT_DURATION`].
const ROLLOUT_DURATION_ALT: &str = "serving.knative.dev/rolloutDuration";

/// What to apply.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) sites: Sites,
    pub(super) own: Own,
    pub(super) tls: Tls,
    pub(super) ingress: Ingress,
    rollout: Rollout,
    targets: Vec<Target>,
}

impl Plan {
    /// The end of a pass in which everything was applied.
    pub(super) fn routed(self, ingress: Arc<Ingress>) -> Phase {
        let next_step = self.rollout.next_step();
        let rolling = self.rollout.is_under_way().then_some(Rolling { next_step });
        Phase::Routed(Routed {
            traffic: status_traffic(&self.targets, &self.rollout, &self.sites),
            rollout: rolling,
            own: self.own,
            ingress,
        })
    }
}

/// Plans a pass at `now`.
///
/// # Errors
/// The end of the pass, where nothing must be touched.
pub(super) fn plan(
    route: &Route,
    seen: &Seen,
    settings: &Settings,
    naming: Naming<'_>,
    now: Timestamp,
) -> Result<Plan, Box<Phase>> {
    let mut sites =
        sites(route, seen, naming).map_err(|error| Box::new(Phase::Unnameable(error)))?;
    let tls = secure(route, &mut sites, &seen.certificates, naming);
    let Some(site) = sites.get("").cloned() else {
        return Err(Box::new(Phase::Unnameable(HostError::NotFullyQualified(
            route.name_any(),
        ))));
    };
    let certificate = tls.truth();
    let own = Own { site, certificate };
    let targets = match targets(route, &seen.backends) {
        Ok(targets) => targets,
        Err(bad) => return Err(Box::new(Phase::Frozen(own, bad))),
    };
    let http_option = match unblocked(route, seen, settings, &sites, &tls) {
        Ok(http_option) => http_option,
        Err(blocker) => return Err(Box::new(Phase::Blocked(own, blocker))),
    };
    let rollout = rollout(route, seen, settings, &targets, now);
    let shares: Shares = shares(&targets, &rollout, &seen.backends.revisions);
    let ingress = ingress::ingress(
        route,
        ingress::Plan {
            sites: &sites,
            tls: &tls,
            shares: &shares,
            rollout: &rollout,
            http_option,
            settings,
        },
    );
    Ok(Plan {
        sites,
        own,
        tls,
        ingress,
        rollout,
        targets,
    })
}

fn sites(route: &Route, seen: &Seen, naming: Naming<'_>) -> Result<Sites, HostError> {
    let mut sites = Sites::new();
    for tag in tags(route) {
        let name = name_of(route, &tag, naming)?;
        let placeholder = seen.services.get(&name).and_then(Child::ours);
        let is_private = placeholder.is_some_and(has_own_visibility);
        sites.insert(tag, site(route, name, is_private, naming)?);
    }
    Ok(sites)
}

/// What plain HTTP requests get, when nothing is in the way of the children.
fn unblocked(
    route: &Route,
    seen: &Seen,
    settings: &Settings,
    sites: &Sites,
    tls: &Tls,
) -> Result<Option<HttpOption>, Blocker> {
    let gateway = seen
        .ingress
        .ours()
        .and_then(|ingress| ingress.status.as_ref());
    let led = |site: &Site| {
        let service = seen.services.get(&site.name).and_then(Child::ours);
        backing(site, gateway, service)
    };
    for site in sites.values() {
        if seen.services.get(&site.name).is_some_and(Child::is_foreign) {
            return Err(Blocker::ServiceTaken(site.name.clone()));
        }
        let needs_endpoints = || matches!(led(site), Some(Backing::Address(_)));
        if seen
            .endpoints
            .get(&site.name)
            .is_some_and(Child::is_foreign)
            && needs_endpoints()
        {
            return Err(Blocker::EndpointsTaken(site.name.clone()));
        }
    }
    if let Some(name) = &tls.taken {
        return Err(Blocker::CertificateTaken(name.clone()));
    }
    if seen.ingress.is_foreign() {
        return Err(Blocker::IngressTaken(ingress::name(route)));
    }
    http_option(route, &settings.network).map_err(Blocker::BadHttpProtocol)
}

fn rollout(
    route: &Route,
    seen: &Seen,
    settings: &Settings,
    targets: &[Target],
    now: Timestamp,
) -> Rollout {
    let ingress = seen.ingress.ours();
    let annotated = [serving::ROLLOUT_DURATION, ROLLOUT_DURATION_ALT]
        .iter()
        .find_map(|key| {
            route
                .annotations()
                .get(*key)?
                .parse::<Nanos>()
                .ok()?
                .to_std()
        });
    let moment = Moment {
        now: i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
        duration: annotated.unwrap_or(settings.network.rollout_duration),
        is_ingress_ready: ingress.is_some_and(is_ingress_ready),
    };
    let previous = ingress.and_then(rollout_of);
    let exists = |revision: &str| seen.backends.revisions.contains_key(revision);
    Rollout::towards(goal(targets), previous.as_ref(), moment).retain(exists)
}
