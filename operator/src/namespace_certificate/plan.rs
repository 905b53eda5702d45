//! The plan of a pass: everything that follows from what is there, without io.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::certificate::Certificate;
use crds::config::{NetworkConfig, Settings};
use crds::name::networking;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};
use net::contract::certificate::{DATA_PLANE_NAME, ROUTING, ROUTING_NAME, SERVING, USER_PREFIX};

use super::wildcard::{BadTemplate, dns_name};
use crate::certificate::order::{for_system, for_wildcard};
use crate::child::Child;

/// What is there already.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// All of the namespace.
    pub(super) certificates: Vec<Arc<Certificate>>,
    /// Whether there is a pod that could use a certificate; not looked at where none could.
    pub(super) has_revision: bool,
    /// Whether the system itself runs here.
    pub(super) is_system: bool,
}

/// What to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// To apply, each with what has its name now; none is someone else's.
    pub(super) wanted: Vec<(Certificate, Child<Certificate>)>,
    /// To delete.
    pub(super) unwanted: Vec<Arc<Certificate>>,
    /// To tell.
    pub(super) troubles: Vec<Trouble>,
}

/// What only an administrator can mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// The domain template makes no wildcard.
    #[error(
        "failed to apply domain template {template} to domain {domain} and namespace {namespace}: {why}"
    )]
    Template {
        /// The template.
        template: String,
        /// The domain.
        domain: String,
        /// The namespace.
        namespace: String,
        /// What is wrong.
        why: BadTemplate,
    },
    /// Someone else's Certificate has the name.
    #[error("namespace {namespace} does not own Knative Certificate: {name}")]
    NotOwned {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
}

/// Plans a pass.
pub(super) fn plan(namespace: &Namespace, seen: &Seen, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    let mut orders = system_orders(namespace, seen, &settings.network);
    let mut kept = BTreeSet::new();
    for domain in wildcard_domains(namespace, settings) {
        match wildcard_order(namespace, domain, seen, &settings.network) {
            Ok(order) => orders.extend(order),
            Err(trouble) => {
                // What serves now serves on.
                kept.insert(domain);
                plan.troubles.push(trouble);
            }
        }
    }
    let names: BTreeSet<String> = orders.iter().map(ResourceExt::name_any).collect();
    for order in orders {
        match there(namespace, &order.name_any(), seen) {
            there @ (Child::Missing | Child::Ours(_)) => plan.wanted.push((order, there)),
            // An installation may bring it along.
            Child::Foreign if is_met(&order, seen) => {}
            Child::Foreign => plan.troubles.push(Trouble::NotOwned {
                namespace: namespace.name_any(),
                name: order.name_any(),
            }),
        }
    }
    let is_unwanted = |it: &&Arc<Certificate>| {
        let domain = it.labels().get(networking::WILDCARD_DOMAIN);
        domain.is_some_and(|domain| !kept.contains(domain.as_str()))
            && !names.contains(&it.name_any())
            && is_ours(namespace, it)
    };
    plan.unwanted = seen
        .certificates
        .iter()
        .filter(is_unwanted)
        .cloned()
        .collect();
    plan
}

/// The domains for which the namespace gets a certificate. Hosts of the cluster are not among them:
/// each Route has its own for those.
fn wildcard_domains<'a>(namespace: &Namespace, settings: &'a Settings) -> Vec<&'a str> {
    let selector = settings.network.namespace_wildcard_cert_selector.clone();
    // A selector that means nothing selects nothing; admission refuses it.
    let selector = selector.and_then(|it| Selector::try_from(it).ok());
    if !selector.is_some_and(|selector| selector.matches(namespace.labels())) {
        return Vec::new();
    }
    let domains = settings.domain.domains.iter();
    let wildcards = domains.filter(|(_, entry)| entry.is_wildcard());
    wildcards.map(|(domain, _)| domain.as_str()).collect()
}

/// None: someone has provided the certificate already.
fn wildcard_order(
    namespace: &Namespace,
    domain: &str,
    seen: &Seen,
    network: &NetworkConfig,
) -> Result<Option<Certificate>, Trouble> {
    let dns_name = dns_name(&network.domain_template, domain, &namespace.name_any());
    let dns_name = dns_name.map_err(|why| Trouble::Template {
        template: network.domain_template.as_str().to_owned(),
        domain: domain.to_owned(),
        namespace: namespace.name_any(),
        why,
    })?;
    let is_provided = seen.certificates.iter().any(|it| {
        it.labels().contains_key(networking::WILDCARD_DOMAIN)
            && it.spec.dns_names.contains(&dns_name)
            && !is_ours(namespace, it)
    });
    Ok((!is_provided).then(|| for_wildcard(namespace, &dns_name, domain, network)))
}

fn system_orders(namespace: &Namespace, seen: &Seen, network: &NetworkConfig) -> Vec<Certificate> {
    if !network.system_internal_tls {
        return Vec::new();
    }
    let order = |name: &str, dns_name: String| {
        let dns_names = vec![dns_name, DATA_PLANE_NAME.to_owned()];
        for_system(namespace, name, dns_names, network)
    };
    let pods = seen.has_revision.then(|| {
        let dns_name = format!("{USER_PREFIX}{}", namespace.name_any().to_lowercase());
        order(SERVING, dns_name)
    });
    let activators = seen
        .is_system
        .then(|| order(ROUTING, ROUTING_NAME.to_owned()));
    pods.into_iter().chain(activators).collect()
}

fn there(namespace: &Namespace, name: &str, seen: &Seen) -> Child<Certificate> {
    let named = seen.certificates.iter().find(|it| it.name_any() == name);
    Child::of(named.cloned(), namespace.uid().as_deref())
}

/// Whether what has the name of `order` orders the same.
fn is_met(order: &Certificate, seen: &Seen) -> bool {
    let same = |it: &&Arc<Certificate>| it.name_any() == order.name_any() && it.spec == order.spec;
    seen.certificates.iter().any(|it| same(&it))
}

fn is_ours(namespace: &Namespace, certificate: &Arc<Certificate>) -> bool {
    let child = Child::of(Some(Arc::clone(certificate)), namespace.uid().as_deref());
    child.ours().is_some()
}
