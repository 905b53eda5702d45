#![allow(
    clippy::needless_pass_by_value,
    reason = "json! literals read best as arguments"
)]
#![allow(
    clippy::too_many_lines,
    reason = "a table is as long as the contract has lines"
)]

mod conditions;
mod golden;
mod hosts;
mod placeholders;
mod rollouts;
mod stories;
mod targets;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::certificate::Certificate;
use crds::config::Settings;
use crds::configuration::Configuration;
use crds::name::networking;
use crds::networking::Ingress;
use crds::revision::Revision;
use crds::route::{Route, RouteStatus};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::gather::Seen;
use super::plan::{Plan, plan};
use super::site::Naming;
use super::status::{Phase, status};
use super::target::Backends;
use super::tls::Certificates;
use crate::child::Child;

/// A Route and all around it, as the tests write it down.
#[derive(Clone, Debug, Deserialize)]
struct World {
    route: Route,
    #[serde(default)]
    configurations: Vec<Configuration>,
    #[serde(default)]
    revisions: Vec<Revision>,
    #[serde(default)]
    services: Vec<Service>,
    #[serde(default)]
    endpoints: Vec<Endpoints>,
    #[serde(default)]
    certificates: Vec<Certificate>,
    #[serde(default)]
    ingress: Option<Ingress>,
    /// Data of config maps by name.
    #[serde(default)]
    settings: BTreeMap<String, BTreeMap<String, String>>,
    /// Seconds since the epoch.
    #[serde(default)]
    now: i64,
}

impl World {
    fn seen(&self) -> Seen {
        let uid = self.route.metadata.uid.as_deref();
        let configurations = self.configurations.iter();
        let revisions = self.revisions.iter();
        Seen {
            backends: Backends {
                configurations: configurations
                    .map(|it| (it.name_any(), Arc::new(it.clone())))
                    .collect(),
                revisions: revisions
                    .map(|it| (it.name_any(), Arc::new(it.clone())))
                    .collect(),
            },
            ingress: Child::of(self.ingress.clone().map(Arc::new), uid),
            services: children(&self.services, uid),
            endpoints: children(&self.endpoints, uid),
            certificates: self.certificates(),
        }
    }

    fn certificates(&self) -> Certificates {
        let wildcard = |it: &&Certificate| it.labels().contains_key(networking::WILDCARD_DOMAIN);
        let wildcards = self.certificates.iter().filter(wildcard);
        Certificates {
            own: children(&self.certificates, self.route.metadata.uid.as_deref()),
            wildcards: wildcards.map(|it| Arc::new(it.clone())).collect(),
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        let domain = BTreeMap::from([("example.com".to_owned(), String::new())]);
        settings.update("config-domain", &domain).unwrap();
        for (name, data) in &self.settings {
            settings.update(name, data).unwrap();
        }
        settings
    }

    fn plan(&self) -> Result<Plan, Box<Phase>> {
        let settings = self.settings();
        let naming = naming(&settings);
        plan(&self.route, &self.seen(), &settings, naming, self.time())
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_second(self.now).unwrap()
    }

    /// The status after a pass in which the API server took everything and `ingress` came out.
    fn status(&self) -> RouteStatus {
        let phase = match self.plan() {
            Ok(plan) => {
                let ingress = self.ingress.clone().unwrap_or_else(|| plan.ingress.clone());
                plan.routed(Arc::new(ingress))
            }
            Err(phase) => *phase,
        };
        status(&self.route, &phase, self.time())
    }
}

fn naming(settings: &Settings) -> Naming<'_> {
    let (network, domain) = (&settings.network, &settings.domain);
    Naming {
        network,
        domain,
        cluster_domain: "cluster.local",
    }
}

fn children<K: kube::Resource<DynamicType = ()> + Clone>(
    objects: &[K],
    uid: Option<&str>,
) -> BTreeMap<String, Child<K>> {
    let child = |it: &K| (it.name_any(), Child::of(Some(Arc::new(it.clone())), uid));
    objects.iter().map(child).collect()
}

/// Route `r` of Service `s`.
fn route(traffic: Value) -> Route {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Route",
        "metadata": {
            "name": "r", "namespace": "ns", "uid": "u", "generation": 2,
            "ownerReferences": [{
                "apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "s", "uid": "x",
                "controller": true,
            }],
        },
        "spec": { "traffic": traffic },
    }))
    .unwrap()
}

/// A Configuration whose Ready is that status word.
fn configuration(name: &str, latest_ready: Option<&str>, ready: &str) -> Configuration {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Configuration",
        "metadata": { "name": name, "namespace": "ns", "generation": 1 },
        "spec": { "template": { "spec": { "containers": [] } } },
        "status": {
            "observedGeneration": 1, "latestReadyRevisionName": latest_ready,
            "conditions": [{ "type": "Ready", "status": ready }],
        },
    }))
    .unwrap()
}

/// A Revision of Service `s` whose Ready is that status word.
fn revision(name: &str, ready: &str) -> Revision {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "metadata": {
            "name": name, "namespace": "ns", "generation": 1,
            "labels": { "serving.knative.dev/service": "s" },
        },
        "spec": { "containers": [{ "name": "c", "image": "i" }] },
        "status": { "observedGeneration": 1, "conditions": [{ "type": "Ready", "status": ready }] },
    }))
    .unwrap()
}

/// A world with that traffic, Configuration `c` at `c-2`, and the Revisions `c-1` and `c-2`.
fn world(traffic: Value) -> World {
    World {
        route: route(traffic),
        configurations: vec![configuration("c", Some("c-2"), "True")],
        revisions: vec![revision("c-1", "True"), revision("c-2", "True")],
        services: Vec::new(),
        endpoints: Vec::new(),
        certificates: Vec::new(),
        ingress: None,
        settings: BTreeMap::new(),
        now: 1_700_000_000,
    }
}

fn latest() -> Value {
    json!([{ "configurationName": "c", "latestRevision": true, "percent": 100 }])
}
