//! What the cluster knows of one ServerlessService. Reads stores only.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::name::child;
use crds::networking::ServerlessService;
use k8s_openapi::api::core::v1::{Endpoints, Service as CoreService};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use net::contract::name::ACTIVATOR_SERVICE;

use crate::child::Child;
use crate::stores::Stores;

/// The children as they are, and what they follow from.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Labels of the pods; None while the Deployment is not known.
    pub(super) selector: Option<BTreeMap<String, String>>,
    /// The Service that selects the pods.
    pub(super) private: Child<CoreService>,
    /// The Service in front.
    pub(super) public: Child<CoreService>,
    /// Where the Service in front leads.
    pub(super) endpoints: Child<Endpoints>,
    /// The pods, as Kubernetes lists them for the private Service.
    pub(super) pods: Option<Arc<Endpoints>>,
    /// The activators, as Kubernetes lists them for their Service.
    pub(super) activators: Option<Arc<Endpoints>>,
}

/// A name that someone else's object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Kind of the object.
    pub(super) kind: &'static str,
    /// The name.
    pub(super) name: String,
}

/// Name of the Service that selects the pods.
pub(super) fn private_name(service: &ServerlessService) -> String {
    child(&service.name_any(), "-private")
}

/// Reads the stores.
pub(super) fn gather(stores: &Stores, service: &ServerlessService, system: &str) -> Seen {
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let uid = service.metadata.uid.as_deref();
    let private = private_name(service);
    let core = |name: &str| {
        stores
            .core_services
            .get(&ObjectRef::new(name).within(&namespace))
    };
    let endpoints = |name: &str, namespace: &str| {
        stores
            .endpoints
            .get(&ObjectRef::new(name).within(namespace))
    };
    let deployment = service
        .spec
        .object_ref
        .name
        .as_deref()
        .and_then(|deployment| {
            stores
                .deployments
                .get(&ObjectRef::new(deployment).within(&namespace))
        });
    let spec = deployment.and_then(|deployment| deployment.spec.clone());
    Seen {
        selector: spec.and_then(|spec| spec.selector.match_labels),
        private: Child::of(core(&private), uid),
        public: Child::of(core(&name), uid),
        endpoints: Child::of(endpoints(&name, &namespace), uid),
        pods: endpoints(&private, &namespace),
        activators: endpoints(ACTIVATOR_SERVICE, system),
    }
}

impl Seen {
    /// The first name of ours that someone else has.
    pub(super) fn taken(&self, service: &ServerlessService) -> Option<Taken> {
        let (public, private) = (service.name_any(), private_name(service));
        let names = [
            (self.private.is_foreign(), "Service", private),
            (self.public.is_foreign(), "Service", public.clone()),
            (self.endpoints.is_foreign(), "Endpoints", public),
        ];
        let taken = names.into_iter().find(|(foreign, ..)| *foreign);
        taken.map(|(_, kind, name)| Taken { kind, name })
    }
}
