//! Placeholder Services: one core Service per name of a Route, so that the name resolves inside
//! the cluster (contract/control-plane 2.9, 4.5).
//!
//! Metadata is add-only: what was once put on a placeholder stays, and the visibility label on it
//! belongs to the user.

use std::collections::BTreeMap;

use crds::name::networking;
use crds::networking::{IngressStatus, LoadBalancerIngress};
use crds::route::Route;
use k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service, ServicePort, ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use runtime::kube::apply::APPLIED;
use runtime::kube::owner::owner_reference;

use crate::route::site::Site;

const H2C: &str = "kubernetes.io/h2c";
const PORT: i32 = 80;

/// Where a placeholder leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::route) enum Backing {
    /// To another name.
    Name(String),
    /// To an address.
    Address(String),
    /// Nowhere: a mesh takes the requests on their way.
    Mesh,
}

impl Backing {
    /// Where a gateway is, if it says so in exactly one way.
    fn of_gateway(ingress: &[LoadBalancerIngress]) -> Option<Self> {
        let [only] = ingress else { return None };
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let address = text(&only.ip).map(Self::Address);
        let internal = || text(&only.domain_internal).map(Self::Name);
        let public = || text(&only.domain).map(Self::Name);
        let mesh = || (only.mesh_only == Some(true)).then_some(Self::Mesh);
        address.or_else(internal).or_else(public).or_else(mesh)
    }

    /// Where `service` leads now.
    pub(in crate::route) fn of(service: &Service) -> Option<Self> {
        let spec = service.spec.as_ref()?;
        match (
            spec.type_.as_deref(),
            spec.external_name.as_ref(),
            spec.cluster_ip.as_deref(),
        ) {
            (Some("ExternalName"), Some(name), _) => Some(Self::Name(name.clone())),
            (_, _, Some("None")) => Some(Self::Address(String::new())),
            _ => Some(Self::Mesh),
        }
    }

    /// Whether a Service that leads to `self` can't be changed to lead to `wanted`.
    pub(in crate::route) fn is_fixed(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Name(_), _)
            | (Self::Address(_), Self::Address(_))
            | (Self::Mesh, Self::Mesh) => false,
            (Self::Address(_) | Self::Mesh, _) => true,
        }
    }
}

/// Where the placeholder of `site` leads: to the gateway that the Ingress names, the private one
/// first; to the name's own host as long as there is none. Nothing: it stays as it is.
pub(in crate::route) fn backing(
    site: &Site,
    status: Option<&IngressStatus>,
    current: Option<&Service>,
) -> Option<Backing> {
    let private = status.and_then(|it| it.private_load_balancer.as_ref());
    let public = status.and_then(|it| it.public_load_balancer.as_ref());
    let is_private = current.is_some_and(has_own_visibility);
    let gateway = if is_private || private.is_some() {
        private
    } else {
        public
    };
    let found = gateway.and_then(|gateway| Backing::of_gateway(&gateway.ingress));
    found.or_else(|| {
        current
            .is_none()
            .then(|| Backing::Name(site.host().to_owned()))
    })
}

/// Whether the user keeps this one name inside the cluster.
pub(in crate::route) fn has_own_visibility(service: &Service) -> bool {
    service
        .labels()
        .get(networking::VISIBILITY)
        .is_some_and(|value| !value.is_empty())
}

/// The placeholder Service of `site`.
pub(in crate::route) fn service(
    route: &Route,
    site: &Site,
    backing: &Backing,
    current: Option<&Service>,
) -> Service {
    Service {
        metadata: metadata(route, site, current.map(|service| &service.metadata)),
        spec: Some(spec(backing)),
        status: None,
    }
}

/// The placeholder that takes the place of `old`, whose type can't be changed: what the user had
/// said about its visibility is said again.
pub(in crate::route) fn reborn(
    route: &Route,
    site: &Site,
    backing: &Backing,
    old: &Service,
) -> Service {
    let mut new = service(route, site, backing, Some(old));
    if let Some(visibility) = old.labels().get(networking::VISIBILITY) {
        new.labels_mut()
            .insert(networking::VISIBILITY.to_owned(), visibility.clone());
    }
    new
}

/// The Endpoints of a placeholder that leads to `address`.
pub(in crate::route) fn endpoints(
    route: &Route,
    site: &Site,
    address: &str,
    current: Option<&Endpoints>,
) -> Endpoints {
    let address = EndpointAddress {
        ip: address.to_owned(),
        ..EndpointAddress::default()
    };
    let port = EndpointPort {
        name: Some("http2".to_owned()),
        port: PORT,
        protocol: Some("TCP".to_owned()),
        app_protocol: Some(H2C.to_owned()),
    };
    let subset = EndpointSubset {
        addresses: Some(vec![address]),
        ports: Some(vec![port]),
        not_ready_addresses: None,
    };
    Endpoints {
        metadata: metadata(route, site, current.map(|endpoints| &endpoints.metadata)),
        subsets: Some(vec![subset]),
    }
}

fn spec(backing: &Backing) -> ServiceSpec {
    let h2c = Some(H2C.to_owned());
    let (type_, port, app_protocol) = match backing {
        Backing::Name(_) => ("ExternalName", "http2", h2c),
        Backing::Address(_) => ("ClusterIP", "http2", h2c),
        Backing::Mesh => ("ClusterIP", "http", None),
    };
    ServiceSpec {
        type_: Some(type_.to_owned()),
        external_name: match backing {
            Backing::Name(name) => Some(name.clone()),
            Backing::Address(_) | Backing::Mesh => None,
        },
        cluster_ip: matches!(backing, Backing::Address(_)).then(|| "None".to_owned()),
        ports: Some(vec![ServicePort {
            name: Some(port.to_owned()),
            port: PORT,
            protocol: Some("TCP".to_owned()),
            app_protocol,
            ..ServicePort::default()
        }]),
        session_affinity: Some("None".to_owned()),
        ..ServiceSpec::default()
    }
}

fn metadata(route: &Route, site: &Site, current: Option<&ObjectMeta>) -> ObjectMeta {
    let labels = current.and_then(|it| it.labels.clone()).unwrap_or_default();
    let annotations = current
        .and_then(|it| it.annotations.clone())
        .unwrap_or_default();
    ObjectMeta {
        name: Some(site.name.clone()),
        namespace: route.namespace(),
        labels: Some(united(labels, super::labels(route), networking::VISIBILITY)),
        annotations: Some(united(annotations, super::annotations(route), APPLIED)),
        owner_references: Some(vec![owner_reference(route)]),
        ..ObjectMeta::default()
    }
}

/// `old` and `new`, `new` where both have a key, and never the key `except`.
fn united(
    old: BTreeMap<String, String>,
    new: BTreeMap<String, String>,
    except: &str,
) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = old.into_iter().chain(new).collect();
    all.remove(except);
    all
}
