//! Metrics for Prometheus (contract/data-plane 5.1): names and attributes of upstream's.

use std::{collections::HashMap, time::Duration};

use http::{HeaderMap, Method, StatusCode};
use net::{contract::header, slots::Slots};
use prometheus::{
    Encoder as _, Error, HistogramOpts, HistogramVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::args::Identity;

/// Upper bounds in seconds.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    server: HistogramVec,
    invocation: HistogramVec,
    depth: Option<Depth>,
}

/// Computed when somebody looks.
#[derive(Debug)]
struct Depth {
    gauge: IntGauge,
    slots: Slots,
}

/// Which route a request took (contract/data-plane 4.1). Closed, so that a client can't invent
/// labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteTag {
    /// No tag asked for, default route.
    Default,
    /// A tag asked for, default route taken.
    Undefined,
    /// Tag routing is off.
    Disabled,
    /// A tag's route.
    Tagged,
}

// === impl Metrics ===

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// Only if two metrics have the same name.
    pub fn new(identity: &Identity, slots: Option<&Slots>) -> Result<Self, Error> {
        let registry = Registry::new_custom(None, Some(constant_labels(identity)))?;
        let server = histogram(
            "http_server_request_duration_seconds",
            "Time from a request's arrival to the end of its answer, the line included.",
            &[
                "http_request_method",
                "http_response_status_code",
                "kn_route_tag",
            ],
        )?;
        let invocation = histogram(
            "kn_serving_invocation_duration_seconds",
            "Time that the app had for a request.",
            &["http_response_status_code"],
        )?;
        registry.register(Box::new(server.clone()))?;
        registry.register(Box::new(invocation.clone()))?;
        let depth = match slots {
            Some(slots) => Some(Depth::new(&registry, slots.clone())?),
            None => None,
        };
        Ok(Self {
            registry,
            server,
            invocation,
            depth,
        })
    }

    /// An answer has ended.
    pub fn served(&self, method: &Method, status: StatusCode, tag: RouteTag, took: Duration) {
        let labels = [method_label(method), status.as_str(), tag.label()];
        self.server
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
    }

    /// The app has ended its answer.
    pub fn invoked(&self, status: StatusCode, took: Duration) {
        let labels = [status.as_str()];
        self.invocation
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        if let Some(Depth { gauge, slots }) = &self.depth {
            gauge.set(i64::try_from(slots.requests()).unwrap_or(i64::MAX));
        }
        let mut text = Vec::new();
        // Metrics that were registered can be written.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

impl Depth {
    fn new(registry: &Registry, slots: Slots) -> Result<Self, Error> {
        let opts = Opts::new(
            "kn_serving_queue_depth",
            "Requests in the line and in the app.",
        );
        let gauge = IntGauge::with_opts(opts)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok(Self { gauge, slots })
    }
}

fn histogram(name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, Error> {
    HistogramVec::new(
        HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()),
        labels,
    )
}

fn constant_labels(identity: &Identity) -> HashMap<String, String> {
    let labels = [
        ("k8s_namespace_name", &identity.namespace),
        ("kn_service_name", &identity.service),
        ("kn_configuration_name", &identity.configuration),
        ("kn_revision_name", &identity.revision),
    ];
    labels
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// OpenTelemetry's word for a method that it doesn't know is `_OTHER`.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}

// === impl RouteTag ===

impl RouteTag {
    /// Reads it before owned headers are stripped.
    pub fn of(headers: &HeaderMap) -> Self {
        let tagged = headers.contains_key(header::TAG);
        let default = headers.contains_key(header::DEFAULT_ROUTE);
        match (tagged, default) {
            (false, true) => Self::Default,
            (true, true) => Self::Undefined,
            (true, false) => Self::Tagged,
            (false, false) => Self::Disabled,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Default => "kn:default",
            Self::Undefined => "kn:undefined",
            Self::Disabled => "kn:disabled",
            Self::Tagged => "kn:tagged",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, Method, StatusCode};
    use net::{breaker::Breaker, slots::Slots};

    use super::{Metrics, RouteTag};
    use crate::args::Identity;

    #[test]
    fn names_and_attributes_are_those_of_upstream() {
        let slots = Slots::new(Breaker::new(1, 1));
        let metrics = Metrics::new(&Identity::default(), Some(&slots)).unwrap();
        let took = Duration::from_millis(7);
        metrics.served(&Method::GET, StatusCode::OK, RouteTag::Disabled, took);
        metrics.invoked(StatusCode::OK, took);
        let text = metrics.text();
        for expect in [
            "http_server_request_duration_seconds_bucket{http_request_method=\"GET\",",
            "kn_route_tag=\"kn:disabled\"",
            "le=\"0.01\"} 1",
            "kn_serving_invocation_duration_seconds_count",
            "kn_serving_queue_depth{",
        ] {
            assert!(text.contains(expect), "{expect} is not in {text}");
        }
    }

    #[test]
    fn route_tag_is_told_by_two_headers() {
        let table: [(&[&'static str], _); 4] = [
            (&[], RouteTag::Disabled),
            (&["knative-serving-tag"], RouteTag::Tagged),
            (&["knative-serving-default-route"], RouteTag::Default),
            (
                &["knative-serving-tag", "knative-serving-default-route"],
                RouteTag::Undefined,
            ),
        ];
        for (names, expect) in table {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.insert(*name, HeaderValue::from_static("x"));
            }
            assert_eq!(RouteTag::of(&headers), expect, "{names:?}");
        }
    }
}
