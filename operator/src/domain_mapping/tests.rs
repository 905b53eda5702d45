#![allow(
    clippy::needless_pass_by_value,
    reason = "json! literals read best as arguments"
)]

mod certificates;
mod conditions;
mod golden;
mod references;
mod stage;
mod stories;

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::certificate::Certificate;
use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::config::Settings;
use crds::domain_mapping::{DomainMapping, DomainMappingStatus};
use crds::networking::Ingress;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::claim::Claim;
use super::gather::Seen;
use super::plan::{Plan, plan};
use super::referent::{Address, Referent};
use super::status::{Blocker, Outcome, Phase, status};
use crate::child::Child;

/// A DomainMapping and all around it, as the tests write it down.
#[derive(Clone, Debug, Deserialize)]
struct World {
    mapping: DomainMapping,
    /// URL of the object that the mapping refers to; a core Service where there is none.
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    claim: Option<ClusterDomainClaim>,
    #[serde(default)]
    ingress: Option<Ingress>,
    #[serde(default)]
    certificate: Option<Certificate>,
    /// Data of config maps by name.
    #[serde(default)]
    settings: BTreeMap<String, BTreeMap<String, String>>,
}

impl World {
    fn seen(&self) -> Seen {
        let uid = self.mapping.metadata.uid.as_deref();
        let address = self.address.clone().map(Address::Url);
        Seen {
            claim: self.claim.clone().map(Arc::new),
            ingress: Child::of(self.ingress.clone().map(Arc::new), uid),
            certificate: Child::of(self.certificate.clone().map(Arc::new), uid),
            referent: address.map_or(Referent::CoreService, Referent::Addressable),
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (name, data) in &self.settings {
            settings.update(name, data).unwrap();
        }
        settings
    }

    fn plan(&self) -> Plan {
        let network = self.settings().network;
        plan(&self.mapping, &self.seen(), &network, "cluster.local")
    }

    /// The end of a pass in which the API server took everything.
    fn phase(&self) -> Phase {
        let plan = self.plan();
        let claim = match plan.claim {
            Claim::Free => Claim::Held,
            other => other,
        };
        let current = self.ingress.clone().map(Box::new);
        let ingress = match (&claim, plan.ingress) {
            (Claim::Held, Ok(wanted)) => Outcome::Applied(Arc::from(current.unwrap_or(wanted))),
            (Claim::Held, Err(blocker)) => Outcome::Blocked(blocker),
            (Claim::Free | Claim::Denied(_), _) => Outcome::Blocked(Blocker::Unclaimed),
        };
        Phase {
            url: plan.url,
            claim,
            target: plan.target,
            certificate: plan.certificate,
            ingress,
        }
    }

    fn status(&self) -> DomainMappingStatus {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        status(&self.mapping, &self.phase(), now)
    }
}

/// The mapping of `shop.example.org` to the Service `cart`.
fn world() -> World {
    World {
        mapping: mapping(json!({})),
        address: Some("http://cart.shop.svc.cluster.local".to_owned()),
        claim: Some(claim("shop")),
        ingress: None,
        certificate: None,
        settings: BTreeMap::new(),
    }
}

fn mapping(annotations: Value) -> DomainMapping {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1beta1", "kind": "DomainMapping",
        "metadata": {
            "name": "shop.example.org", "namespace": "shop", "uid": "u", "generation": 2,
            "annotations": annotations,
        },
        "spec": { "ref": {
            "apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "cart",
            "namespace": "shop",
        } },
    }))
    .unwrap()
}

fn claim(namespace: &str) -> ClusterDomainClaim {
    serde_json::from_value(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "ClusterDomainClaim",
        "metadata": { "name": "shop.example.org" },
        "spec": { "namespace": namespace },
    }))
    .unwrap()
}

/// The Ingress of [`world`] with these conditions, seen at that generation.
fn ingress(observed: i64, ready: Value) -> Ingress {
    serde_json::from_value(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
        "metadata": {
            "name": "shop.example.org", "namespace": "shop", "generation": 3,
            "ownerReferences": [{
                "apiVersion": "serving.knative.dev/v1beta1", "kind": "DomainMapping",
                "name": "shop.example.org", "uid": "u", "controller": true,
            }],
        },
        "spec": {},
        "status": { "observedGeneration": observed, "conditions": ready },
    }))
    .unwrap()
}
