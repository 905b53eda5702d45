use super::apply::Step;
use super::backends::{Backends, Path};
use super::desired::desired;
use super::gather::{Seen, Taken};
use super::status::{Outcome, status};
use crate::child::Child;
use crate::golden;
use crds::condition::{Truth, find};
use crds::networking::{ServerlessService, ServerlessServiceSpec, SksMode};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Endpoints;
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn service(mode: SksMode, activators: i32) -> ServerlessService {
    let spec = ServerlessServiceSpec {
        mode: Some(mode),
        num_activators: Some(activators),
        protocol_type: "http1".to_owned(),
        ..ServerlessServiceSpec::default()
    };
    let mut service = ServerlessService::new("r-00001", spec);
    service.metadata.namespace = Some("d".to_owned());
    service.metadata.uid = Some("sks-uid".to_owned());
    service.metadata.generation = Some(1);
    service
}

fn endpoints(network: &str, count: usize) -> Option<Arc<Endpoints>> {
    let addresses: Vec<_> = (1..=count)
        .map(|i| json!({"ip": format!("{network}.{i}"), "targetRef": {"name": format!("pod-{i}")}}))
        .collect();
    let ports = json!([{"name": "http", "port": 8012}, {"name": "https", "port": 8112}]);
    let subsets = json!([{ "addresses": addresses, "ports": ports }]);
    Some(Arc::new(
        serde_json::from_value(json!({ "subsets": subsets })).unwrap(),
    ))
}

fn seen(pods: usize, activators: usize) -> Seen {
    Seen {
        selector: Some(BTreeMap::new()),
        private: Child::Missing,
        public: Child::Missing,
        endpoints: Child::Missing,
        pods: endpoints("10.1.0", pods),
        activators: endpoints("10.2.0", activators),
    }
}

fn ips(backends: &Backends) -> BTreeSet<String> {
    let all = backends
        .subsets
        .iter()
        .flat_map(|subset| subset.addresses.iter().flatten());
    all.map(|address| address.ip.clone()).collect()
}

#[test]
fn requests_go_where_somebody_answers() {
    let (proxy, serve) = (SksMode::Proxy, SksMode::Serve);
    for (mode, pods, activators, path) in [
        (proxy, 2, 3, Path::Activators),
        (serve, 2, 3, Path::Pods),
        (serve, 0, 3, Path::Activators),
        (proxy, 2, 0, Path::Pods),
        (serve, 2, 0, Path::Pods),
    ] {
        let backends = Backends::choose(&service(mode, 0), &seen(pods, activators));
        assert_eq!(backends.path, path, "{mode:?} {pods} {activators}");
        let count = if path == Path::Pods { pods } else { activators };
        assert_eq!(ips(&backends).len(), count);
    }
    assert_eq!(
        ips(&Backends::choose(&service(serve, 2), &seen(0, 0))).len(),
        0
    );
}

#[test]
fn nobody_is_no_list() {
    let service = service(SksMode::Proxy, 2);
    let backends = Backends::choose(&service, &seen(0, 0));
    assert_eq!(
        desired(&service, &backends, BTreeMap::new())
            .endpoints
            .subsets,
        None
    );
}

#[test]
fn a_revision_gets_as_many_activators_as_it_asks_for() {
    for (asked, there, got) in [(2, 5, 2), (0, 5, 5), (9, 5, 5)] {
        let backends = Backends::choose(&service(SksMode::Proxy, asked), &seen(0, there));
        assert_eq!(ips(&backends).len(), got);
    }
}

#[test]
fn an_activator_that_goes_moves_only_those_that_it_served() {
    for revision in 0..50 {
        let mut service = service(SksMode::Proxy, 2);
        service.metadata.name = Some(format!("r-{revision}"));
        let before = ips(&Backends::choose(&service, &seen(0, 6)));
        let after = ips(&Backends::choose(&service, &seen(0, 5)));
        if before.contains("10.2.0.6") {
            assert_eq!(before.intersection(&after).count(), 1);
        } else {
            assert_eq!(before, after);
        }
    }
}

#[test]
fn revisions_spread_over_the_activators() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for revision in 0..300 {
        let mut service = service(SksMode::Proxy, 2);
        service.metadata.name = Some(format!("r-{revision}"));
        for ip in ips(&Backends::choose(&service, &seen(0, 6))) {
            *counts.entry(ip).or_default() += 1;
        }
    }
    assert_eq!(counts.len(), 6);
    assert!(
        counts.values().all(|count| (60..=140).contains(count)),
        "{counts:?}"
    );
}

fn truth(status: &crds::networking::ServerlessServiceStatus, name: &str) -> String {
    Truth::of(find(&status.conditions, name)).to_string()
}

#[test]
fn the_status_follows_the_table() {
    let taken = Taken {
        kind: "Service",
        name: "r-00001".to_owned(),
    };
    let waiting = |reason: &str| format!("Unknown {reason}: K8s Service is not ready");
    for (pods, outcome, wanted) in [
        (1, Outcome::Applied, "True".to_owned()),
        (0, Outcome::Applied, waiting("NoHealthyBackends")),
        (
            1,
            Outcome::Failed(Step::CreatePrivate),
            waiting("CreatingPrivateService"),
        ),
        (
            1,
            Outcome::Failed(Step::UpdatePrivate),
            waiting("UpdatingPrivateService"),
        ),
        (
            1,
            Outcome::Failed(Step::Public),
            waiting("CreatingPublicService"),
        ),
        (
            1,
            Outcome::Failed(Step::Endpoints),
            waiting("CreatingPublicEndpoints"),
        ),
        (
            1,
            Outcome::NotOwned(taken),
            "False NotOwned: Resource r-00001 of type Service is not owned by SKS".to_owned(),
        ),
    ] {
        let service = service(SksMode::Proxy, 0);
        let backends = Backends::choose(&service, &seen(pods, 1));
        let status = status(&service, &backends, &outcome, Timestamp::UNIX_EPOCH);
        assert_eq!(truth(&status, "EndpointsPopulated"), wanted);
        assert_eq!(truth(&status, "Ready"), wanted);
        assert_eq!(status.service_name.is_some(), outcome == Outcome::Applied);
    }
}

#[test]
fn the_time_in_proxy_starts_when_the_activator_comes_in() {
    let text = "ActivatorEndpointsPopulated: Revision is backed by Activator";
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut service = service(SksMode::Proxy, 0);
    let mut pass = |mode, pods, second| {
        service.spec.mode = Some(mode);
        let backends = Backends::choose(&service, &seen(pods, 1));
        let status = status(&service, &backends, &Outcome::Applied, at(second));
        service.status = Some(status.clone());
        let condition = find(&status.conditions, "ActivatorEndpointsPopulated").unwrap();
        let since = condition
            .last_transition_time
            .as_ref()
            .unwrap()
            .0
            .as_second();
        (truth(&status, "ActivatorEndpointsPopulated"), since)
    };
    assert_eq!(pass(SksMode::Proxy, 0, 1), (format!("True {text}"), 1));
    assert_eq!(pass(SksMode::Proxy, 1, 2), (format!("True {text}"), 1));
    assert_eq!(pass(SksMode::Serve, 1, 3), (format!("False {text}"), 3));
    assert_eq!(pass(SksMode::Serve, 1, 4), (format!("False {text}"), 3));
    assert_eq!(pass(SksMode::Proxy, 1, 5), (format!("True {text}"), 5));
}

#[test]
fn a_name_that_someone_else_has_is_told() {
    let service = service(SksMode::Proxy, 0);
    let mut seen = seen(1, 1);
    assert_eq!(seen.taken(&service), None);
    seen.endpoints = Child::Foreign;
    let taken = |kind, name: &str| {
        Some(Taken {
            kind,
            name: name.to_owned(),
        })
    };
    assert_eq!(
        seen.taken(&service),
        taken("Endpoints", &service.name_any())
    );
    seen.private = Child::Foreign;
    assert_eq!(seen.taken(&service), taken("Service", "r-00001-private"));
}

#[test]
fn the_order_of_addresses_does_not_matter() {
    let service = service(SksMode::Serve, 0);
    let mut seen = seen(3, 1);
    let first = desired(
        &service,
        &Backends::choose(&service, &seen),
        BTreeMap::new(),
    );
    let mut turned = seen.pods.as_deref().cloned().unwrap();
    turned.subsets.iter_mut().flatten().for_each(|subset| {
        subset
            .addresses
            .iter_mut()
            .for_each(|addresses| addresses.reverse());
    });
    seen.pods = Some(Arc::new(turned));
    assert_eq!(
        desired(
            &service,
            &Backends::choose(&service, &seen),
            BTreeMap::new()
        ),
        first
    );
}

/// One golden case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    serverless_service: ServerlessService,
    selector: BTreeMap<String, String>,
    pods: Option<Endpoints>,
    activators: Option<Endpoints>,
}

#[test]
fn children_are_as_reviewed() {
    golden::check("serverless_service/tests/golden", |case: Case| {
        let (pods, activators) = (case.pods.map(Arc::new), case.activators.map(Arc::new));
        let seen = Seen {
            pods,
            activators,
            ..seen(0, 0)
        };
        let backends = Backends::choose(&case.serverless_service, &seen);
        let children = desired(&case.serverless_service, &backends, case.selector);
        vec![
            golden::document(&children.private),
            golden::document(&children.public),
            golden::document(&children.endpoints),
        ]
    });
}
