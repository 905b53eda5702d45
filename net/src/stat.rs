//! What activators and queue-proxies tell the autoscaler, on Knative's own wire
//! (contract/data-plane 1.9).

use prost::Message;

/// Load of one pod or one activator over the last second.
#[derive(Clone, PartialEq, Message)]
pub struct Stat {
    /// Who tells.
    #[prost(string, tag = "1")]
    pub pod_name: String,
    /// Requests at the same time, averaged over time.
    #[prost(double, tag = "2")]
    pub average_concurrent_requests: f64,
    /// The part of them that an activator has told already.
    #[prost(double, tag = "3")]
    pub average_proxied_concurrent_requests: f64,
    /// Requests that came in.
    #[prost(double, tag = "4")]
    pub request_count: f64,
    /// The part of them that an activator has told already.
    #[prost(double, tag = "5")]
    pub proxied_request_count: f64,
    /// Seconds since the process started.
    #[prost(double, tag = "6")]
    pub process_uptime: f64,
    /// Unix seconds, set by the autoscaler that receives it first.
    #[prost(int64, tag = "7")]
    pub timestamp: i64,
}

/// Load of one revision.
#[derive(Clone, PartialEq, Message)]
pub struct WireStatMessage {
    /// Namespace of the revision.
    #[prost(string, tag = "1")]
    pub namespace: String,
    /// Name of the revision.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The load.
    #[prost(message, optional, tag = "3")]
    pub stat: Option<Stat>,
}

/// One WebSocket frame.
#[derive(Clone, PartialEq, Message)]
pub struct WireStatMessages {
    /// Load of several revisions.
    #[prost(message, repeated, tag = "1")]
    pub messages: Vec<WireStatMessage>,
}
