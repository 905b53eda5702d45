//! What tools of GitOps make of every status that we can write (conventions E3).

use crds::condition::{Condition, Truth, find, is_ready};
use crds::service::{Service, ServiceStatus};
use serde_json::json;

use super::conditions::{at, configuration, latest, ready, route, served, service};
use crate::service::status::{Phase, status};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Health {
    Healthy,
    Progressing,
    Degraded,
}

/// Argo CD's rule for Services: it counts every condition, and no generation.
fn argo(conditions: &[Condition]) -> Health {
    let is_any = |status: &str| conditions.iter().any(|it| it.status == status);
    let is_true = |name: &str| Truth::of(find(conditions, name)).is_true();
    let all = ["ConfigurationsReady", "RoutesReady", "Ready"]
        .into_iter()
        .all(is_true);
    match (is_any("False"), is_any("Unknown")) {
        (true, _) => Health::Degraded,
        (false, false) if all => Health::Healthy,
        (false, _) => Health::Progressing,
    }
}

/// kstatus, as Flux has it: the generation first, then conditions of its own, then Ready.
fn kstatus(status: &ServiceStatus, generation: i64) -> Health {
    let is_true = |name: &str| Truth::of(find(&status.conditions, name)).is_true();
    let observed = status.observed_generation == Some(generation);
    if is_true("Stalled") {
        return Health::Degraded;
    }
    if observed && !is_true("Reconciling") && is_true("Ready") {
        Health::Healthy
    } else {
        Health::Progressing
    }
}

/// Every way in which a pass can end, and every way in which children can be.
fn phases() -> Vec<Phase> {
    let mut phases = vec![
        Phase::ConfigurationTaken,
        Phase::ConfigurationRefused("no".to_owned()),
    ];
    let truths = [
        ready(),
        json!({ "type": "Ready", "status": "Unknown" }),
        json!({ "type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "m" }),
    ];
    for (observed, truth) in [1, 2]
        .iter()
        .flat_map(|it| truths.iter().map(move |t| (*it, t)))
    {
        let it = || configuration(observed, truth.clone());
        phases.extend([
            Phase::ConfigurationBehind(it()),
            Phase::RevisionNameTaken(it(), "s-a".to_owned()),
            Phase::RouteTaken(it()),
            Phase::RouteRefused(it(), "no".to_owned()),
        ]);
        for (observed, truth) in [1, 2]
            .iter()
            .flat_map(|it| truths.iter().map(move |t| (*it, t)))
        {
            for revision in ["s-00001", "s-00002"] {
                let route = route(observed, truth.clone(), latest(), served(revision));
                phases.push(Phase::Routed(it(), route));
            }
        }
    }
    phases
}

/// Nothing, what was healthy in the generation before, and what was healthy in this one.
fn pasts() -> Vec<Option<ServiceStatus>> {
    let good = Phase::Routed(
        configuration(2, ready()),
        route(2, ready(), latest(), served("s-00002")),
    );
    let now = status(&service(), &good, |_| None, at(1));
    let before = ServiceStatus {
        observed_generation: Some(1),
        ..now.clone()
    };
    vec![None, Some(before), Some(now)]
}

#[test]
fn a_service_is_healthy_for_every_tool_or_for_none() {
    let mut seen = Vec::new();
    for (phase, past) in phases()
        .iter()
        .flat_map(|it| pasts().into_iter().map(move |p| (it, p)))
    {
        for failed in [false, true] {
            let service = Service {
                status: past.clone(),
                ..service()
            };
            let failure = |_: &str| failed.then(|| ("ErrImagePull".to_owned(), "m".to_owned()));
            let status = status(&service, phase, failure, at(2));
            let observed = status.observed_generation;
            let ready = is_ready(&status.conditions, observed, service.metadata.generation);
            let health = argo(&status.conditions);
            assert_eq!(
                health == Health::Healthy,
                ready,
                "Argo CD, {phase:?}: {status:#?}"
            );
            let flux = kstatus(&status, 2);
            assert_eq!(
                flux == Health::Healthy,
                ready,
                "kstatus, {phase:?}: {status:#?}"
            );
            for condition in &status.conditions {
                let told = condition.status == "True" || !condition.reason.is_empty() || !ready;
                assert!(told, "{condition:?}");
            }
            seen.push(health);
        }
    }
    for health in [Health::Healthy, Health::Progressing, Health::Degraded] {
        assert!(seen.contains(&health), "{health:?}");
    }
}
