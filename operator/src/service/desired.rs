//! The children of a Service as they should be (contract/control-plane 2.1).

use std::collections::{BTreeMap, BTreeSet};

use crds::configuration::{Configuration, ConfigurationSpec};
use crds::name::{LAST_APPLIED, serving};
use crds::route::{Route, RouteSpec, TrafficTarget};
use crds::service::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use runtime::kube::owner::owner_reference;

/// Spellings of the annotation that only a Route needs.
const ROLLOUT_DURATIONS: [&str; 2] = [
    serving::ROLLOUT_DURATION,
    "serving.knative.dev/rolloutDuration",
];

/// The Configuration. The list of routes on `current` is kept and gets the Service's own Route,
/// so that new Revisions are born active.
pub(super) fn configuration(service: &Service, current: Option<&Configuration>) -> Configuration {
    let mut annotations = annotations(service);
    annotations.retain(|key, _| !ROLLOUT_DURATIONS.contains(&key.as_str()));
    let known = current.and_then(|current| current.annotations().get(serving::ROUTES));
    let routes = routes_with(known.map_or("", String::as_str), &service.name_any());
    annotations.insert(serving::ROUTES.to_owned(), routes);

    let mut labels = labels(service);
    labels.insert(
        serving::SERVICE_UID.to_owned(),
        service.uid().unwrap_or_default(),
    );
    Configuration {
        metadata: metadata(service, labels, annotations),
        spec: ConfigurationSpec {
            template: service.spec.template.clone(),
        },
        status: None,
    }
}

/// The Route: the Service's traffic, where "the latest revision" means its own Configuration.
pub(super) fn route(service: &Service) -> Route {
    Route {
        metadata: metadata(service, labels(service), annotations(service)),
        spec: RouteSpec {
            traffic: traffic(service),
        },
        status: None,
    }
}

fn traffic(service: &Service) -> Vec<TrafficTarget> {
    let everything = TrafficTarget {
        percent: Some(100),
        latest_revision: Some(true),
        ..Default::default()
    };
    let targets = match service.spec.traffic.as_slice() {
        [] => vec![everything],
        targets => targets.to_vec(),
    };
    targets
        .into_iter()
        .map(|target| with_configuration(target, service))
        .collect()
}

fn with_configuration(target: TrafficTarget, service: &Service) -> TrafficTarget {
    let pinned = target
        .revision_name
        .as_ref()
        .is_some_and(|name| !name.is_empty());
    TrafficTarget {
        configuration_name: (!pinned).then(|| service.name_any()),
        revision_name: target.revision_name.filter(|_| pinned),
        latest_revision: target.latest_revision.or(Some(!pinned)),
        ..target
    }
}

fn metadata(
    service: &Service,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(service.name_any()),
        namespace: service.namespace(),
        labels: Some(labels),
        annotations: Some(annotations),
        owner_references: Some(vec![owner_reference(service)]),
        ..ObjectMeta::default()
    }
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.labels().clone();
    labels.insert(serving::SERVICE.to_owned(), service.name_any());
    labels
}

fn annotations(service: &Service) -> BTreeMap<String, String> {
    let mut annotations = service.annotations().clone();
    annotations.remove(LAST_APPLIED);
    annotations
}

/// The comma separated list `routes` with `name` in it, sorted.
fn routes_with(routes: &str, name: &str) -> String {
    let names: BTreeSet<&str> = routes
        .split(',')
        .chain([name])
        .filter(|name| !name.is_empty())
        .collect();
    names.into_iter().collect::<Vec<_>>().join(",")
}
