//! Recognises probes among requests: five dialects share paths and ports
//! (contract/data-plane 2.2, 3.2 and 9, trap 10).

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};

use crate::contract::{header, probe, user_agent};

/// Who probes, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Kubelet asks for health; any path.
    Kubelet,
    /// Someone asks whether a queue-proxy's app is ready.
    Queue,
    /// Someone asks whether an activator is in the path.
    Activator,
    /// An ingress controller asks which spec is live.
    Ingress,
    /// An activator asks for a slot.
    Slot,
    /// A probe that nobody knows: the header's value.
    Unknown(String),
}

/// The dialect of a request with these headers; None for an ordinary request. The probe header
/// counts more than the user agent: kubelet sends both to a queue-proxy. A prober of ours that
/// forgets the header asks nothing that anybody knows.
pub fn dialect(headers: &HeaderMap) -> Option<Dialect> {
    match headers.get(header::PROBE).map(HeaderValue::as_bytes) {
        Some(value) if !value.is_empty() => Some(named(value)),
        _ => by_agent(headers),
    }
}

fn by_agent(headers: &HeaderMap) -> Option<Dialect> {
    let agent = headers
        .get(USER_AGENT)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let is = |prefix: &str| agent.starts_with(prefix.as_bytes());
    if is(user_agent::KUBELET_PREFIX) || headers.contains_key(header::KUBELET_PROBE) {
        Some(Dialect::Kubelet)
    } else if is(user_agent::ACTIVATOR) || is(user_agent::AUTOSCALER) {
        Some(Dialect::Unknown(String::new()))
    } else {
        None
    }
}

fn named(value: &[u8]) -> Dialect {
    match value {
        value if value == probe::QUEUE.as_bytes() => Dialect::Queue,
        value if value == probe::ACTIVATOR.as_bytes() => Dialect::Activator,
        value if value == probe::INGRESS.as_bytes() => Dialect::Ingress,
        value if value == probe::SLOT.as_bytes() => Dialect::Slot,
        value => Dialect::Unknown(String::from_utf8_lossy(value).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, dialect};
    use http::{HeaderMap, HeaderName};

    type Headers = &'static [(&'static str, &'static str)];

    #[test]
    fn each_dialect_is_known_by_its_headers() {
        let table: [(Headers, Option<Dialect>); 9] = [
            (&[], None),
            (&[("user-agent", "curl/8")], None),
            (&[("user-agent", "kube-probe/1.34")], Some(Dialect::Kubelet)),
            (&[("k-kubelet-probe", "x")], Some(Dialect::Kubelet)),
            (
                &[
                    ("user-agent", "kube-probe/1.34"),
                    ("k-network-probe", "queue"),
                ],
                Some(Dialect::Queue),
            ),
            (
                &[("k-network-probe", "activator")],
                Some(Dialect::Activator),
            ),
            (
                &[("user-agent", "Knative-Activator-Probe")],
                Some(Dialect::Unknown(String::new())),
            ),
            (&[("k-network-probe", "probe")], Some(Dialect::Ingress)),
            (
                &[("k-network-probe", "what")],
                Some(Dialect::Unknown("what".to_owned())),
            ),
        ];
        for (headers, expected) in table {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            assert_eq!(dialect(&map), expected, "{headers:?}");
        }
    }
}
