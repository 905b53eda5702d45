//! What the children of a ServerlessService should be (contract/control-plane 2.8).

mod endpoints;
mod private;
mod public;

use std::collections::BTreeMap;

use crds::name::networking;
use crds::networking::ServerlessService;
use k8s_openapi::api::core::v1::{Endpoints, Service as CoreService, ServicePort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use net::contract::port;
use runtime::kube::owner::owner_reference;

use super::backends::Backends;

const TCP: &str = "TCP";
const H2C: &str = "kubernetes.io/h2c";

/// The children as they should be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Children {
    /// Selects the pods.
    pub(super) private: CoreService,
    /// In front of the revision.
    pub(super) public: CoreService,
    /// Where the Service in front leads.
    pub(super) endpoints: Endpoints,
}

/// The children that follow from the spec, the chosen backends and the labels of the pods.
pub(super) fn desired(
    service: &ServerlessService,
    backends: &Backends,
    selector: BTreeMap<String, String>,
) -> Children {
    Children {
        private: private::private(service, selector),
        public: public::public(service),
        endpoints: endpoints::endpoints(service, backends),
    }
}

/// What follows from the app's HTTP version.
#[derive(Clone, Copy, Debug)]
struct Protocol {
    /// Name of the port for requests.
    port_name: &'static str,
    /// The same again, for meshes that look for the sidecar's own number.
    mesh_port_name: &'static str,
    /// Number of that port on the Service in front.
    public_port: i32,
    /// Port of sidecar and activator.
    target_port: u16,
    /// What proxies are told to speak.
    app_protocol: Option<&'static str>,
}

const HTTP1: Protocol = Protocol {
    port_name: "http",
    mesh_port_name: "http-istio",
    public_port: 80,
    target_port: port::QUEUE_HTTP1,
    app_protocol: None,
};
const HTTP2: Protocol = Protocol {
    port_name: "http2",
    mesh_port_name: "http2-istio",
    public_port: 81,
    target_port: port::QUEUE_H2C,
    app_protocol: Some(H2C),
};

impl Protocol {
    fn of(service: &ServerlessService) -> Self {
        if service.spec.protocol_type == "h2c" {
            HTTP2
        } else {
            HTTP1
        }
    }
}

const HTTPS: &str = "https";

fn metadata(service: &ServerlessService, name: String, type_: &str) -> ObjectMeta {
    let mut labels = service.labels().clone();
    labels.insert(
        networking::SERVERLESS_SERVICE.to_owned(),
        service.name_any(),
    );
    labels.insert(networking::SERVICE_TYPE.to_owned(), type_.to_owned());
    ObjectMeta {
        name: Some(name),
        namespace: service.namespace(),
        labels: Some(labels),
        owner_references: Some(vec![owner_reference(service)]),
        ..ObjectMeta::default()
    }
}

fn service_port(name: &str, port: i32, target: IntOrString) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        protocol: Some(TCP.to_owned()),
        port,
        target_port: Some(target),
        ..ServicePort::default()
    }
}

fn number(port: u16) -> IntOrString {
    IntOrString::Int(i32::from(port))
}
