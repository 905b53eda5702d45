//! Core Services as backends: what an Ingress may lead to besides revisions (contract/data-plane 4.1).
//! Requests go to the Service's own address; which of its pods answers is kube-proxy's business.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use net::upstream::{Protocol, Upstream, UpstreamSettings};
use parking_lot::RwLock;

/// Until kube-proxy knows a new address, what is sent there is lost without a word: many short tries
/// find out sooner than a long one.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// A port of a core Service. Shows as `namespace/name:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// `namespace/name` of the Service.
    pub service: Arc<str>,
    /// Number or name of its port.
    pub port: IntOrString,
}

/// All core Services with an address. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Services {
    by_name: Arc<RwLock<HashMap<String, Arc<Served>>>>,
}

/// A Service with an address.
#[derive(Debug)]
struct Served {
    ip: IpAddr,
    ports: Vec<Port>,
}

#[derive(Clone, Debug)]
struct Port {
    number: u16,
    name: Option<String>,
    protocol: Protocol,
    upstream: Arc<Upstream>,
}

// === impl Backend ===

impl Backend {
    /// The port `port` of the Service `name` of `namespace`.
    pub fn new(namespace: &str, name: &str, port: IntOrString) -> Self {
        Self {
            service: format!("{namespace}/{name}").into(),
            port,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            IntOrString::Int(port) => write!(f, "{}:{port}", self.service),
            IntOrString::String(port) => write!(f, "{}:{port}", self.service),
        }
    }
}

// === impl Services ===

impl Services {
    /// A Service is there, new or changed. Connections to ports that stay are kept.
    pub fn insert(&self, name: String, service: &Service) {
        let before = self.by_name.read().get(&name).cloned();
        match Served::of(service, before.as_deref()) {
            Some(served) => self.by_name.write().insert(name, Arc::new(served)),
            None => self.by_name.write().remove(&name),
        };
    }

    /// A Service is gone.
    pub fn remove(&self, name: &str) {
        self.by_name.write().remove(name);
    }

    /// How to reach a backend; None if there is no such Service or port, or it has no address of
    /// its own (headless, ExternalName).
    pub fn get(&self, backend: &Backend) -> Option<(Arc<Upstream>, Protocol)> {
        let served = self.by_name.read().get(&*backend.service).cloned()?;
        let port = served.ports.iter().find(|port| port.is(&backend.port))?;
        Some((Arc::clone(&port.upstream), port.protocol))
    }
}

// === impl Served ===

impl Served {
    fn of(service: &Service, before: Option<&Self>) -> Option<Self> {
        let spec = service.spec.as_ref()?;
        let ip = spec.cluster_ip.as_deref()?.parse().ok()?;
        let kept = before.filter(|before| before.ip == ip);
        let port = |port: &ServicePort| {
            let number = u16::try_from(port.port).ok()?;
            let upstream = kept
                .and_then(|kept| kept.ports.iter().find(|port| port.number == number))
                .map_or_else(|| upstream(ip, number), |port| Arc::clone(&port.upstream));
            Some(Port {
                number,
                name: port.name.clone(),
                protocol: spoken_at(port),
                upstream,
            })
        };
        let ports = spec.ports.iter().flatten().filter_map(port).collect();
        Some(Self { ip, ports })
    }
}

fn upstream(ip: IpAddr, port: u16) -> Arc<Upstream> {
    let settings = UpstreamSettings {
        connect_timeout: CONNECT_TIMEOUT,
        ..UpstreamSettings::default()
    };
    Upstream::new(SocketAddr::new(ip, port), settings)
}

/// What a port says that it speaks: by `appProtocol`, else by its name.
fn spoken_at(port: &ServicePort) -> Protocol {
    let named = |name: &str| {
        ["h2c", "http2", "grpc"]
            .iter()
            .any(|known| name == *known || name.strip_prefix(known).is_some_and(is_suffix))
    };
    let http2 = match port.app_protocol.as_deref() {
        Some(protocol) => protocol == "kubernetes.io/h2c" || named(protocol),
        None => port.name.as_deref().is_some_and(named),
    };
    if http2 {
        Protocol::Http2
    } else {
        Protocol::Http1
    }
}

fn is_suffix(rest: &str) -> bool {
    rest.starts_with('-')
}

// === impl Port ===

impl Port {
    fn is(&self, wanted: &IntOrString) -> bool {
        match wanted {
            IntOrString::Int(number) => i32::from(self.number) == *number,
            IntOrString::String(name) => self.name.as_ref() == Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    use net::upstream::Protocol;
    use serde_json::{Value, json};

    use super::{Backend, Services};

    fn service(spec: &Value) -> Service {
        serde_json::from_value(json!({"spec": spec})).unwrap()
    }

    fn at(port: IntOrString) -> Backend {
        Backend::new("shop", "cart", port)
    }

    #[test]
    fn port_is_found_by_number_or_name_and_speaks_what_it_says() {
        let services = Services::default();
        let spec = json!({"clusterIP": "10.96.0.7", "ports": [
            {"name": "http", "port": 80},
            {"name": "http2", "port": 81},
            {"name": "grpc-api", "port": 82},
            {"name": "web", "port": 83, "appProtocol": "kubernetes.io/h2c"},
            {"name": "h2container", "port": 84},
        ]});
        services.insert("shop/cart".to_owned(), &service(&spec));
        let spoken = |port| services.get(&at(port)).map(|(_, protocol)| protocol);
        let cases = [
            (IntOrString::Int(80), Some(Protocol::Http1)),
            (IntOrString::Int(81), Some(Protocol::Http2)),
            (IntOrString::Int(82), Some(Protocol::Http2)),
            (IntOrString::Int(83), Some(Protocol::Http2)),
            (IntOrString::Int(84), Some(Protocol::Http1)),
            (IntOrString::Int(85), None),
            (
                IntOrString::String("http2".to_owned()),
                Some(Protocol::Http2),
            ),
            (IntOrString::String("none".to_owned()), None),
        ];
        for (port, expected) in cases {
            assert_eq!(spoken(port.clone()), expected, "{port:?}");
        }
        let (upstream, _) = services.get(&at(IntOrString::Int(80))).unwrap();
        assert_eq!(upstream.addr().to_string(), "10.96.0.7:80");
    }

    #[test]
    fn connections_outlive_changes_that_do_not_concern_them() {
        let services = Services::default();
        let insert = |ip: &str| {
            let spec = json!({"clusterIP": ip, "ports": [{"port": 80}]});
            services.insert("shop/cart".to_owned(), &service(&spec));
            services.get(&at(IntOrString::Int(80))).unwrap().0
        };
        let (first, second) = (insert("10.96.0.7"), insert("10.96.0.7"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &insert("10.96.0.8")));
    }

    #[test]
    fn services_without_an_address_are_no_backends() {
        let services = Services::default();
        let there = || services.get(&at(IntOrString::Int(80))).is_some();
        let ports = json!([{"port": 80}]);
        let good = json!({"clusterIP": "10.96.0.7", "ports": ports});
        for bad in [
            json!({"clusterIP": "None", "ports": ports}),
            json!({"type": "ExternalName", "externalName": "example.com", "ports": ports}),
        ] {
            services.insert("shop/cart".to_owned(), &service(&good));
            assert!(there());
            services.insert("shop/cart".to_owned(), &service(&bad));
            assert!(!there());
        }
        services.insert("shop/cart".to_owned(), &service(&good));
        services.remove("shop/cart");
        assert!(!there());
    }
}
