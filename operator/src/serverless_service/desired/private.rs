//! The Service that selects the revision's pods, for whoever scrapes or probes them.

use std::collections::BTreeMap;

use crds::networking::ServerlessService;
use k8s_openapi::api::core::v1::{Service as CoreService, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use net::contract::port;

use super::{HTTPS, Protocol, metadata, number, service_port};
use crate::serverless_service::gather::private_name;

/// The private Service.
pub(super) fn private(
    service: &ServerlessService,
    selector: BTreeMap<String, String>,
) -> CoreService {
    let spec = ServiceSpec {
        selector: Some(selector),
        ports: Some(ports(Protocol::of(service))),
        ..ServiceSpec::default()
    };
    CoreService {
        metadata: metadata(service, private_name(service), "Private"),
        spec: Some(spec),
        status: None,
    }
}

fn ports(protocol: Protocol) -> Vec<ServicePort> {
    let app_protocol = || protocol.app_protocol.map(str::to_owned);
    let metrics = |name: &str, port: u16| {
        service_port(name, i32::from(port), IntOrString::String(name.to_owned()))
    };
    let target = protocol.target_port;
    vec![
        ServicePort {
            app_protocol: app_protocol(),
            ..service_port(protocol.port_name, 80, number(target))
        },
        service_port(HTTPS, 443, number(port::QUEUE_HTTPS)),
        metrics("http-autometric", port::METRICS),
        metrics("http-usermetric", port::USER_METRICS),
        ServicePort {
            app_protocol: app_protocol(),
            ..service_port(protocol.mesh_port_name, i32::from(target), number(target))
        },
    ]
}
