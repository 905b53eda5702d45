//! Contract/control-plane 3.1, line by line.

use std::sync::Arc;

use crds::condition::{Truth, find};
use crds::configuration::Configuration;
use crds::route::Route;
use crds::service::{Service, ServiceStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::service::status::{self, Phase, news};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn service() -> Service {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": { "name": "s", "namespace": "ns", "generation": 2, "uid": "u" },
        "spec": { "template": { "spec": { "containers": [] } } },
    }))
    .unwrap()
}

pub(super) fn configuration(observed: i64, ready: Value) -> Arc<Configuration> {
    let object = json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Configuration",
        "metadata": { "name": "s", "namespace": "ns", "generation": 2 },
        "spec": { "template": { "spec": { "containers": [] } } },
        "status": {
            "observedGeneration": observed, "conditions": [ready],
            "latestReadyRevisionName": "s-00002", "latestCreatedRevisionName": "s-00003",
        },
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

pub(super) fn route(observed: i64, ready: Value, spec: Value, served: Value) -> Arc<Route> {
    let object = json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Route",
        "metadata": { "name": "s", "namespace": "ns", "generation": 2 },
        "spec": { "traffic": spec },
        "status": {
            "observedGeneration": observed, "conditions": [ready], "traffic": served,
            "url": "http://s.ns.example.com", "address": { "url": "http://s.ns.svc.cluster.local" },
        },
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

/// The status where no activation has failed.
fn status(service: &Service, phase: &Phase, now: Timestamp) -> ServiceStatus {
    status::status(service, phase, |_| None, now)
}

pub(super) fn ready() -> Value {
    json!({ "type": "Ready", "status": "True" })
}

pub(super) fn latest() -> Value {
    json!([{ "configurationName": "s", "latestRevision": true, "percent": 100 }])
}

pub(super) fn served(revision: &str) -> Value {
    json!([{ "revisionName": revision, "latestRevision": true, "percent": 100 }])
}

fn text(status: &ServiceStatus, name: &str) -> String {
    Truth::of(find(&status.conditions, name)).to_string()
}

const OUT_OF_DATE_CONFIGURATION: &str = "Unknown OutOfDate: The Configuration is still working to \
                                         reflect the latest desired specification.";
const OUT_OF_DATE_ROUTE: &str =
    "Unknown OutOfDate: The Route is still working to reflect the latest desired specification.";

/// A phase and what ConfigurationsReady, RoutesReady and Ready then say.
type Row<'a> = (Phase, &'a str, &'a str, &'a str);

fn check(rows: impl IntoIterator<Item = Row<'static>>) {
    for (phase, configurations, routes, ready) in rows {
        let status = status(&service(), &phase, at(1));
        assert_eq!(
            text(&status, "ConfigurationsReady"),
            configurations,
            "{phase:?}"
        );
        assert_eq!(text(&status, "RoutesReady"), routes, "{phase:?}");
        assert_eq!(text(&status, "Ready"), ready, "{phase:?}");
        assert_eq!(status.observed_generation, Some(2));
    }
}

#[test]
fn a_pass_that_stops_says_why() {
    let good = || configuration(2, ready());
    check([
        (
            Phase::ConfigurationTaken,
            "False NotOwned: There is an existing Configuration \"s\" that we do not own.",
            "Unknown",
            "False NotOwned: There is an existing Configuration \"s\" that we do not own.",
        ),
        (
            Phase::ConfigurationRefused("no".to_owned()),
            "False CreationFailed: no",
            "Unknown",
            "False CreationFailed: no",
        ),
        (
            Phase::ConfigurationBehind(configuration(1, ready())),
            OUT_OF_DATE_CONFIGURATION,
            "Unknown",
            OUT_OF_DATE_CONFIGURATION,
        ),
        (
            Phase::RevisionNameTaken(good(), "s-a".to_owned()),
            "True",
            "False RevisionNameTaken: The revision name \"s-a\" is taken by a conflicting Revision, \
             so traffic will not be migrated",
            "False RevisionNameTaken: The revision name \"s-a\" is taken by a conflicting Revision, \
             so traffic will not be migrated",
        ),
        (
            Phase::RouteTaken(good()),
            "True",
            "False NotOwned: There is an existing Route \"s\" that we do not own.",
            "False NotOwned: There is an existing Route \"s\" that we do not own.",
        ),
        (
            Phase::RouteRefused(good(), "no".to_owned()),
            "True",
            "False CreationFailed: no",
            "False CreationFailed: no",
        ),
    ]);
}

#[test]
fn with_both_children_there_they_have_the_word() {
    let good = || configuration(2, ready());
    let failed =
        json!({ "type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "m" });
    let rolling = json!({ "type": "Ready", "status": "Unknown", "reason": "RolloutInProgress", "message": "r" });
    let routed = || route(2, ready(), latest(), served("s-00002"));
    check([
        (
            Phase::Routed(configuration(1, ready()), routed()),
            OUT_OF_DATE_CONFIGURATION,
            "True",
            OUT_OF_DATE_CONFIGURATION,
        ),
        (
            Phase::Routed(good(), route(1, ready(), latest(), served("s-00002"))),
            "True",
            OUT_OF_DATE_ROUTE,
            OUT_OF_DATE_ROUTE,
        ),
        (
            Phase::Routed(configuration(2, failed), routed()),
            "False RevisionFailed: m",
            "True",
            "False RevisionFailed: m",
        ),
        (
            Phase::Routed(good(), route(2, rolling, latest(), served("s-00001"))),
            "True",
            "Unknown RolloutInProgress: r",
            "Unknown RolloutInProgress: r",
        ),
        (
            Phase::Routed(good(), route(2, ready(), latest(), served("s-00001"))),
            "True",
            "Unknown TrafficNotMigrated: Traffic is not yet migrated to the latest revision.",
            "Unknown TrafficNotMigrated: Traffic is not yet migrated to the latest revision.",
        ),
        (Phase::Routed(good(), routed()), "True", "True", "True"),
    ]);
}

#[test]
fn what_children_say_is_copied_and_survives_a_pass_that_stops_early() {
    let mut service = service();
    let routed = route(2, ready(), latest(), served("s-00002"));
    let first = status(
        &service,
        &Phase::Routed(configuration(2, ready()), routed),
        at(1),
    );
    assert_eq!(first.url.as_deref(), Some("http://s.ns.example.com"));
    assert_eq!(
        first.latest_created_revision_name.as_deref(),
        Some("s-00003")
    );
    assert_eq!(first.latest_ready_revision_name.as_deref(), Some("s-00002"));
    assert_eq!(first.traffic.len(), 1);

    service.status = Some(first.clone());
    let behind = Phase::ConfigurationBehind(configuration(1, ready()));
    let second = status(&service, &behind, at(2));
    assert_eq!(text(&second, "RoutesReady"), "True");
    assert_eq!((&second.url, &second.traffic), (&first.url, &first.traffic));
}

#[test]
fn a_failed_activation_of_a_revision_with_traffic_is_told_until_it_is_over() {
    let mut service = service();
    let served = route(2, ready(), latest(), served("s-00002"));
    let phase = Phase::Routed(configuration(2, ready()), served);
    let failed = |revision: &'static str, reason: &'static str| {
        move |name: &str| (name == revision).then(|| (reason.to_owned(), "why".to_owned()))
    };
    let mut look = |revision, reason, second| {
        let new = status::status(&service, &phase, failed(revision, reason), at(second));
        let old = service.status.replace(new.clone()).unwrap_or_default();
        (
            text(&new, "Ready"),
            text(&new, "ActivationFailed"),
            news(&old.conditions, &new.conditions),
        )
    };
    let none = ("True".to_owned(), "Unknown".to_owned(), None);
    assert_eq!(
        look("s-00001", "ErrImagePull", 1),
        none,
        "no traffic goes there"
    );
    let (ready, told, news) = look("s-00002", "ErrImagePull", 2);
    assert_eq!(ready, "True");
    assert_eq!(
        told,
        "True ErrImagePull: Revision \"s-00002\" can't start: why"
    );
    assert_eq!(
        news.unwrap(),
        "ErrImagePull: Revision \"s-00002\" can't start: why"
    );
    assert_eq!(look("s-00002", "ErrImagePull", 3).2, None, "nothing new");
    assert!(
        look("s-00002", "ExitCode1", 4).2.is_some(),
        "another reason"
    );
    assert_eq!(look("none", "", 5), none);
}

#[test]
fn a_second_pass_changes_nothing() {
    let mut service = service();
    let phase = || {
        Phase::Routed(
            configuration(2, ready()),
            route(2, ready(), latest(), served("s-00002")),
        )
    };
    service.status = Some(status(&service, &phase(), at(1)));
    assert_eq!(service.status, Some(status(&service, &phase(), at(9))));
}

#[test]
fn migrated_means_same_tag_revision_and_percent() {
    let named = |name: &str, percent: i64| json!({ "revisionName": name, "percent": percent });
    let tagged = |name: &str| json!({ "revisionName": name, "tag": "t", "url": "u" });
    let rows = [
        (json!([named("a", 100)]), json!([named("a", 100)]), true),
        (json!([named("a", 100)]), json!([named("b", 100)]), false),
        (
            json!([named("a", 50), named("b", 50)]),
            json!([named("a", 50), named("b", 50)]),
            true,
        ),
        (
            json!([named("a", 50), named("b", 50)]),
            json!([named("a", 40), named("b", 60)]),
            false,
        ),
        (json!([named("a", 100)]), json!([]), false),
        // The Route sums up what is written twice.
        (
            json!([named("a", 50), named("a", 50)]),
            json!([named("a", 100)]),
            true,
        ),
        (
            json!([named("a", 100), { "configurationName": "s", "tag": "t" }]),
            json!([named("a", 100), tagged("s-00002")]),
            true,
        ),
        (
            json!([named("a", 100), { "configurationName": "s", "tag": "t" }]),
            json!([named("a", 100), tagged("s-00001")]),
            false,
        ),
    ];
    for (spec, served, expected) in rows {
        let route = route(2, ready(), spec, served);
        let migrated = crate::service::migration::is_migrated(&route, &configuration(2, ready()));
        assert_eq!(migrated, expected, "{:?}", route.spec.traffic);
    }
}
