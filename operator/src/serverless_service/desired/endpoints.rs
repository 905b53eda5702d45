//! Where the Service in front of a revision leads. Kubernetes mirrors these Endpoints into
//! EndpointSlices.

use std::collections::BTreeSet;

use crds::networking::ServerlessService;
use k8s_openapi::api::core::v1::{EndpointPort, EndpointSubset, Endpoints};
use kube::ResourceExt;
use net::contract::port;

use super::{HTTPS, Protocol, TCP, metadata};
use crate::serverless_service::backends::Backends;

/// The public Endpoints: addresses of the backends as they were listed, with the pods they refer
/// to, on the ports of the public Service. None is no list at all: so the API server stores it.
pub(super) fn endpoints(service: &ServerlessService, backends: &Backends) -> Endpoints {
    let protocol = Protocol::of(service);
    let listed = backends.subsets.iter();
    let subsets: Vec<EndpointSubset> = listed.filter_map(|all| subset(all, protocol)).collect();
    Endpoints {
        metadata: metadata(service, service.name_any(), "Public"),
        subsets: (!subsets.is_empty()).then_some(subsets),
    }
}

fn subset(listed: &EndpointSubset, protocol: Protocol) -> Option<EndpointSubset> {
    let mut addresses = listed.addresses.clone().unwrap_or_default();
    addresses.sort_by(|a, b| a.ip.cmp(&b.ip));
    let ports = ports(listed, protocol);
    (!ports.is_empty()).then_some(EndpointSubset {
        addresses: Some(addresses),
        not_ready_addresses: None,
        ports: Some(ports),
    })
}

/// The ports that the backends listen on and the public Service has, by the names that it has.
fn ports(listed: &EndpointSubset, protocol: Protocol) -> Vec<EndpointPort> {
    let open: BTreeSet<i32> = listed
        .ports
        .iter()
        .flatten()
        .map(|port| port.port)
        .collect();
    let app_protocol = protocol.app_protocol.map(str::to_owned);
    [
        (protocol.port_name, protocol.target_port, app_protocol),
        (HTTPS, port::QUEUE_HTTPS, None),
    ]
    .into_iter()
    .map(|(name, number, app_protocol)| EndpointPort {
        name: Some(name.to_owned()),
        port: i32::from(number),
        protocol: Some(TCP.to_owned()),
        app_protocol,
    })
    .filter(|port| open.contains(&port.port))
    .collect()
}
