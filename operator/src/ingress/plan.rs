//! Whom to ask for what, and how long.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crds::networking::{Ingress, IngressSpec, Visibility};
use k8s_openapi::api::core::v1::Endpoints;
use net::contract::name::{EXTERNAL_SERVICE, LOCAL_SERVICE};
use net::contract::port;

/// Pauses after each try at a spec that nobody was asked for yet.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(160),
    Duration::from_millis(320),
    Duration::ZERO,
];

/// Names of the gateways in the cluster's DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gateways {
    /// For requests from outside.
    pub(super) public: String,
    /// For requests from inside.
    pub(super) private: String,
}

impl Gateways {
    /// The names of our Services.
    pub(super) fn new(system_namespace: &str, cluster_domain: &str) -> Self {
        let name = |service: &str| format!("{service}.{system_namespace}.svc.{cluster_domain}");
        Self {
            public: name(EXTERNAL_SERVICE),
            private: name(LOCAL_SERVICE),
        }
    }
}

/// Hosts to ask for, by the port of the activator that must know them: one of each rule.
pub(super) type Questions = BTreeMap<u16, Vec<String>>;

/// What every activator must answer to, for the spec to be live.
pub(super) fn questions(spec: &IngressSpec) -> Questions {
    let mut questions = Questions::new();
    for rule in &spec.rules {
        let port = match rule.visibility {
            Visibility::ExternalIP => port::EXTERNAL_HTTP,
            Visibility::ClusterLocal => port::LOCAL_HTTP,
        };
        if let Some(host) = rule.hosts.first() {
            questions.entry(port).or_default().push(host.clone());
        }
    }
    questions
}

/// The ready activators.
pub(super) fn addresses(activators: Option<&Endpoints>) -> Vec<IpAddr> {
    let subsets = activators
        .and_then(|endpoints| endpoints.subsets.as_deref())
        .unwrap_or_default();
    let listed = subsets
        .iter()
        .flat_map(|subset| subset.addresses.iter().flatten());
    let mut addresses: Vec<IpAddr> = listed
        .filter_map(|address| address.ip.parse().ok())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// Pauses after each try: some quick tries at a new spec, a single one when its status already
/// says that it is not live yet.
pub(super) fn pauses(ingress: &Ingress) -> &'static [Duration] {
    let observed = ingress
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    if observed.is_some() && observed == ingress.metadata.generation {
        &PAUSES[PAUSES.len() - 1..]
    } else {
        &PAUSES
    }
}
