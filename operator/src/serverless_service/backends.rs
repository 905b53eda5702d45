//! Who stands behind the Service in front of a revision (contract/data-plane 1.8).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crds::networking::{ServerlessService, SksMode};
use k8s_openapi::api::core::v1::{EndpointSubset, Endpoints};
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::gather::Seen;

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// To activators.
    Activators,
    /// Straight to the revision's pods.
    Pods,
}

/// The addresses that were chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Backends {
    /// Whose they are.
    pub(super) path: Path,
    /// Whether the revision has a ready pod.
    pub(super) has_pods: bool,
    /// Ready addresses, with all ports that they were listed with.
    pub(super) subsets: Vec<EndpointSubset>,
}

impl Backends {
    /// What the spec asks for, unless nobody would answer there: without pods the activators hold
    /// the requests, and without activators the pods must do alone.
    pub(super) fn choose(service: &ServerlessService, seen: &Seen) -> Self {
        let pods = ready(seen.pods.as_deref());
        let activators = ready(seen.activators.as_deref());
        let has_pods = !pods.is_empty();
        let path = match service.spec.mode {
            _ if activators.is_empty() => Path::Pods,
            Some(SksMode::Serve) if has_pods => Path::Pods,
            Some(SksMode::Serve | SksMode::Proxy) | None => Path::Activators,
        };
        let subsets = match path {
            Path::Pods => pods,
            Path::Activators => {
                let count = service.spec.num_activators.unwrap_or(0);
                some_of(
                    activators,
                    &key(service),
                    usize::try_from(count).unwrap_or(0),
                )
            }
        };
        Self {
            path,
            has_pods,
            subsets,
        }
    }

    /// Whether requests meet an activator, or nobody.
    pub(super) fn is_buffered(&self) -> bool {
        self.path == Path::Activators || !self.has_pods
    }
}

fn key(service: &ServerlessService) -> String {
    format!(
        "{}/{}",
        service.namespace().unwrap_or_default(),
        service.name_any()
    )
}

/// The subsets with ready addresses, and those only.
fn ready(endpoints: Option<&Endpoints>) -> Vec<EndpointSubset> {
    let subsets = endpoints
        .and_then(|endpoints| endpoints.subsets.as_deref())
        .unwrap_or_default();
    let filled = subsets
        .iter()
        .filter(|subset| subset.addresses.as_ref().is_some_and(|a| !a.is_empty()));
    filled
        .map(|subset| EndpointSubset {
            not_ready_addresses: None,
            ..subset.clone()
        })
        .collect()
}

/// At most `count` of the addresses (0 is all), chosen by rendezvous: each address is rated by a
/// hash of itself and `key`, and the best are taken. An address that comes or goes moves no other
/// revision than those that it is, or was, among the best of.
fn some_of(mut subsets: Vec<EndpointSubset>, key: &str, count: usize) -> Vec<EndpointSubset> {
    let addresses = subsets
        .iter()
        .flat_map(|subset| subset.addresses.iter().flatten());
    let mut rated: Vec<_> = addresses
        .map(|a| (Reverse(rating(key, &a.ip)), a.ip.clone()))
        .collect();
    if count == 0 || rated.len() <= count {
        return subsets;
    }
    rated.sort_unstable();
    let chosen: BTreeSet<String> = rated.into_iter().take(count).map(|(_, ip)| ip).collect();
    for subset in &mut subsets {
        subset
            .addresses
            .iter_mut()
            .for_each(|all| all.retain(|a| chosen.contains(&a.ip)));
    }
    subsets.retain(|subset| subset.addresses.as_ref().is_some_and(|a| !a.is_empty()));
    subsets
}

fn rating(key: &str, ip: &str) -> [u8; 8] {
    let digest = Sha256::new()
        .chain_update(key)
        .chain_update([0])
        .chain_update(ip)
        .finalize();
    std::array::from_fn(|index| digest[index])
}
