//! The Service in front of a revision. It has no selector: its Endpoints are ours.

use crds::networking::ServerlessService;
use k8s_openapi::api::core::v1::{Service as CoreService, ServicePort, ServiceSpec};
use kube::ResourceExt;
use net::contract::port;

use super::{HTTPS, Protocol, metadata, number, service_port};

/// The public Service.
pub(super) fn public(service: &ServerlessService) -> CoreService {
    let protocol = Protocol::of(service);
    let requests = ServicePort {
        app_protocol: protocol.app_protocol.map(str::to_owned),
        ..service_port(
            protocol.port_name,
            protocol.public_port,
            number(protocol.target_port),
        )
    };
    let https = service_port(HTTPS, 443, number(port::QUEUE_HTTPS));
    let spec = ServiceSpec {
        ports: Some(vec![requests, https]),
        ..ServiceSpec::default()
    };
    CoreService {
        metadata: metadata(service, service.name_any(), "Public"),
        spec: Some(spec),
        status: None,
    }
}
