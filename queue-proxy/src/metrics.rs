//! Metrics for Prometheus (contract/data-plane 5): names and attributes of upstream's, and of Knative
//! 1.18 and before for those who want them.

use std::time::Duration;

use http::HeaderMap;
use net::{
    contract::{header, name},
    slots::Slots,
};
use runtime::metrics::{
    Answer, Calls, Exchange, Exchanges, Families, Label, OldCounts, OldNames, STATUS,
};

use crate::args::Identity;

const REQUESTS: OldCounts = OldCounts {
    count: "revision_request_count",
    latencies: "revision_request_latencies",
};
const APP_REQUESTS: OldCounts = OldCounts {
    count: "revision_app_request_count",
    latencies: "revision_app_request_latencies",
};

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    identity: Identity,
    old: OldNames,
    served: Exchanges<RouteTag>,
    invoked: Calls,
    slots: Option<Slots>,
}

/// Which route a request took (contract/data-plane 4.1). Closed, so that a client can't invent
/// labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Nothing has happened yet. With a hard limit, `slots` tells how many requests are here.
    pub fn new(identity: Identity, slots: Option<Slots>, old: OldNames) -> Self {
        Self {
            identity,
            old,
            served: Exchanges::default(),
            invoked: Calls::default(),
            slots,
        }
    }

    /// An answer has ended.
    pub fn served(&self, exchange: &Exchange, tag: RouteTag) {
        self.served.note(exchange, tag, self.old.shown());
    }

    /// The app has ended its answer.
    pub fn invoked(&self, answer: Answer, took: Duration) {
        self.invoked.note(answer, took, self.old.shown());
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut families = Families::default();
        self.show(&mut families);
        if self.old.shown() {
            self.show_old(&mut families);
        }
        families.text()
    }

    fn show(&self, families: &mut Families) {
        let Identity {
            namespace,
            service,
            configuration,
            revision,
            pod,
            ..
        } = &self.identity;
        let owner: [Label<'_>; 4] = [
            ("k8s_namespace_name", namespace),
            ("kn_service_name", service),
            ("kn_configuration_name", configuration),
            ("kn_revision_name", revision),
        ];
        self.served
            .show(families, &owner, |tag| Some(("kn_route_tag", tag.label())));
        self.invoked.show(families, &owner);
        let invocation = (
            "kn_serving_invocation_duration_seconds",
            "Time that the app had for a request",
        );
        self.invoked
            .show_by_status(families, invocation, &owner, STATUS);
        if let Some(depth) = self.depth() {
            let help = "Requests in the line and in the app";
            families.gauge("kn_serving_queue_depth", help, &owner, depth);
        }
        let target = [
            ("service_name", service.as_str()),
            ("k8s_namespace_name", namespace),
            ("k8s_pod_name", pod),
            ("container_name", name::QUEUE_PROXY),
        ];
        families.gauge("target_info", "Who tells this", &target, 1.0);
    }

    fn show_old(&self, families: &mut Families) {
        let Identity {
            namespace,
            service,
            configuration,
            revision,
            pod,
            ..
        } = &self.identity;
        let owner: [Label<'_>; 6] = [
            ("namespace_name", namespace),
            ("service_name", service),
            ("configuration_name", configuration),
            ("revision_name", revision),
            ("pod_name", pod),
            ("container_name", name::QUEUE_PROXY),
        ];
        self.served.show_old(families, REQUESTS, &owner, |tag| {
            Some(("route_tag", tag.old_label()))
        });
        self.invoked.show_old(families, APP_REQUESTS, &owner);
        if let Some(depth) = self.depth() {
            let help = "Requests in the line and in the app";
            families.gauge("revision_queue_depth", help, &owner, depth);
        }
    }

    fn depth(&self) -> Option<f64> {
        self.slots.as_ref().map(|slots| slots.requests() as f64)
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

    /// As 1.18 and before call it.
    fn old_label(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT",
            Self::Undefined => "UNDEFINED",
            Self::Disabled => "DISABLED",
            Self::Tagged => "TAGGED",
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
    use runtime::metrics::{Answer, Exchange, OldNames};

    use super::{Metrics, RouteTag};
    use crate::args::Identity;

    /// What is shown after one request.
    fn page(old: OldNames) -> String {
        let slots = Slots::new(Breaker::new(1, 1));
        let identity = Identity {
            revision: "cart-00001".to_owned(),
            ..Identity::default()
        };
        let metrics = Metrics::new(identity, Some(slots), old);
        let exchange = Exchange {
            answer: Answer::new(&Method::GET, StatusCode::OK),
            took: Duration::from_millis(7),
            request_bytes: Some(0),
            response_bytes: Some(20),
        };
        metrics.served(&exchange, RouteTag::Disabled);
        metrics.invoked(exchange.answer, exchange.took);
        metrics.text()
    }

    #[test]
    fn names_and_attributes_are_those_of_upstream() {
        let text = page(OldNames::default());
        for expect in [
            "http_server_request_duration_seconds_bucket{http_request_method=\"GET\",",
            "http_client_request_duration_seconds_bucket{http_request_method=\"GET\",",
            "kn_route_tag=\"kn:disabled\"",
            "le=\"0.01\"} 1",
            "kn_serving_invocation_duration_seconds_count",
            "kn_serving_queue_depth{",
            "http_server_response_body_size_bytes_sum",
        ] {
            assert!(text.contains(expect), "{expect} is not in {text}");
        }
        assert!(!text.contains("revision_request_count"), "{text}");
    }

    #[test]
    fn old_names_stand_beside_the_current_ones() {
        let text = page(OldNames::new(true));
        for expect in [
            "kn_serving_invocation_duration_seconds_count",
            "revision_request_latencies_bucket{",
            "revision_request_count{",
            "revision_app_request_count{",
            "revision_app_request_latencies_sum{",
            "revision_queue_depth{",
            "response_code=\"200\",response_code_class=\"2xx\",revision_name=\"cart-00001\",route_tag=\"DISABLED\"",
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
