//! The wire contract between our processes, the pods and the outside: headers, ports, env names,
//! annotations, labels, user agents. Both sides of every wire read it here, and nowhere else.

/// Request and response headers (contract/control-plane appendix C).
pub mod header {
    /// Revision that a request is meant for. Only the activator's route table may set it.
    pub const REVISION: &str = "knative-serving-revision";
    /// Namespace of [`REVISION`].
    pub const NAMESPACE: &str = "knative-serving-namespace";
    /// Tag that a request chooses, where `tag-header-based-routing` is on.
    pub const TAG: &str = "knative-serving-tag";
    /// `true` on requests that took the default route while tag header routing is on.
    pub const DEFAULT_ROUTE: &str = "knative-serving-default-route";
    /// Marks a probe; the value is one of [`super::probe`].
    pub const PROBE: &str = "k-network-probe";
    /// Hash of an Ingress: asked for with `override`, answered with the hash that is live.
    pub const HASH: &str = "k-network-hash";
    /// The host that the client asked for, where a proxy had to rewrite it.
    pub const ORIGINAL_HOST: &str = "k-original-host";
    /// `activator` on requests that an activator has counted already.
    pub const PROXY_REQUEST: &str = "k-proxy-request";
    /// The name of a slot that is lent: asked for with [`super::probe::SLOT`], used by requests;
    /// ours, not upstream's.
    pub const SLOT: &str = "k-slot";
    /// On a queue-proxy's answer to an activator: its app was not there, and has seen nothing of the
    /// request. Ours, not upstream's; apps can't say it.
    pub const NOT_REACHED: &str = "k-not-reached";
    /// Set by meshes and by pod-addressable activators; never reaches the app.
    pub const PASSTHROUGH_LB: &str = "k-passthrough-lb";
    /// Marks a kubelet probe where the user agent can't be kept.
    pub const KUBELET_PROBE: &str = "k-kubelet-probe";
    /// RFC 7239.
    pub const FORWARDED: &str = "forwarded";
    /// Peers that forwarded the request, comma separated.
    pub const X_FORWARDED_FOR: &str = "x-forwarded-for";
    /// `http` or `https`, as the client came in.
    pub const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
    /// Host that the client asked for.
    pub const X_FORWARDED_HOST: &str = "x-forwarded-host";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// Prefixes of headers that only we may set: stripped from what clients send.
    pub const OWNED_PREFIXES: [&str; 2] = ["knative-serving-", "k-"];
}

/// Values of [`header::PROBE`] and bodies of the answers (contract/data-plane 9, trap 10).
pub mod probe {
    /// Asked of, and answered by, a queue-proxy.
    pub const QUEUE: &str = "queue";
    /// Asked of, and answered by, an activator.
    pub const ACTIVATOR: &str = "activator";
    /// Asked of an ingress: the answer echoes [`super::header::HASH`].
    pub const INGRESS: &str = "probe";
    /// Asked of a queue-proxy: no probe, but whether a slot of the pod can be lent
    /// ([`crate::slots`]); ours, not upstream's.
    pub const SLOT: &str = "slot";
    /// Path that probes ask for.
    pub const PATH: &str = "/healthz";
    /// Value of [`super::header::HASH`] in a question.
    pub const HASH_OVERRIDE: &str = "override";
}

/// User agents that mark who probes.
pub mod user_agent {
    /// Kubelet: `kube-probe/1.34`.
    pub const KUBELET_PREFIX: &str = "kube-probe/";
    /// Activator that looks for a pod.
    pub const ACTIVATOR: &str = "Knative-Activator-Probe";
    /// Autoscaler that verifies the path before a revision goes to zero.
    pub const AUTOSCALER: &str = "Knative-Autoscaling-Probe";
    /// Ingress controller that verifies a new route.
    pub const INGRESS: &str = "Knative-Ingress-Probe";
    /// Queue-proxy that probes the app.
    pub const QUEUE: &str = "Knative-Queue-Proxy-Probe";
}

/// TCP ports (ARCHITECTURE.md has the table).
pub mod port {
    /// Queue-proxy and activator-service: requests, HTTP/1.1 and h2c.
    pub const QUEUE_HTTP1: u16 = 8012;
    /// The same for revisions with port name `h2c`.
    pub const QUEUE_H2C: u16 = 8013;
    /// The same over TLS.
    pub const QUEUE_HTTPS: u16 = 8112;
    /// Queue-proxy admin: `/wait-for-drain`.
    pub const QUEUE_ADMIN: u16 = 8022;
    /// Autoscaling statistics of a queue-proxy; Prometheus metrics of every other part.
    pub const METRICS: u16 = 9090;
    /// Prometheus metrics of a queue-proxy.
    pub const USER_METRICS: u16 = 9091;
    /// Runtime profiling.
    pub const PROFILING: u16 = 8008;
    /// App port when the user names none.
    pub const DEFAULT_USER: u16 = 8080;
    /// Activator: requests from outside the cluster.
    pub const EXTERNAL_HTTP: u16 = 8080;
    /// Activator: requests from outside the cluster over TLS.
    pub const EXTERNAL_HTTPS: u16 = 8443;
    /// Activator: requests from inside the cluster.
    pub const LOCAL_HTTP: u16 = 8081;
    /// The same over TLS.
    pub const LOCAL_HTTPS: u16 = 8444;
    /// Activator: announcements of pods that are ready.
    pub const ANNOUNCEMENTS: u16 = 8083;
    /// Autoscaler: statistics of activators over WebSocket.
    pub const STATS: u16 = 8080;
    /// Liveness, readiness and explanations of activator, autoscaler, controller and webhook.
    pub const ADMIN: u16 = 8090;
    /// Webhook: admission over TLS.
    pub const WEBHOOK: u16 = 8443;
    /// Ports that a user container can't have (contract/data-plane 3.1).
    pub const RESERVED: [u16; 6] = [8008, 8012, 8013, 8022, 9090, 9091];
}

/// Environment of a queue-proxy (contract/control-plane 2.4).
pub mod env {
    /// Where to announce that the pod is ready, `host:port`; ours, not upstream's.
    pub const FERMATA_ANNOUNCE_TO: &str = "FERMATA_ANNOUNCE_TO";
    /// The revision's key for announcements, hexadecimal; ours, not upstream's.
    pub const FERMATA_ANNOUNCEMENT_KEY: &str = "FERMATA_ANNOUNCEMENT_KEY";
    /// Requests that the app may have at once; 0 is no limit.
    pub const CONTAINER_CONCURRENCY: &str = "CONTAINER_CONCURRENCY";
    /// Port for requests.
    pub const QUEUE_SERVING_PORT: &str = "QUEUE_SERVING_PORT";
    /// Port for requests over TLS.
    pub const QUEUE_SERVING_TLS_PORT: &str = "QUEUE_SERVING_TLS_PORT";
    /// Port of the app.
    pub const USER_PORT: &str = "USER_PORT";
    /// Longest time for a request, seconds.
    pub const REVISION_TIMEOUT_SECONDS: &str = "REVISION_TIMEOUT_SECONDS";
    /// Longest time to the first byte of the answer, seconds; 0 is off.
    pub const REVISION_RESPONSE_START_TIMEOUT_SECONDS: &str =
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS";
    /// Longest pause between two bytes of the answer, seconds; 0 is off.
    pub const REVISION_IDLE_TIMEOUT_SECONDS: &str = "REVISION_IDLE_TIMEOUT_SECONDS";
    /// Readiness probe of the app, JSON of a core/v1 Probe, or an array of them.
    pub const SERVING_READINESS_PROBE: &str = "SERVING_READINESS_PROBE";
    /// `true`: HTTP/1.1 answers may start before the request's body ended.
    pub const ENABLE_HTTP_FULL_DUPLEX: &str = "ENABLE_HTTP_FULL_DUPLEX";
    /// `true`: find out whether the app speaks h2c.
    pub const ENABLE_HTTP2_AUTO_DETECTION: &str = "ENABLE_HTTP2_AUTO_DETECTION";
    /// `true`: SERVING_READINESS_PROBE is an array.
    pub const ENABLE_MULTI_CONTAINER_PROBES: &str = "ENABLE_MULTI_CONTAINER_PROBES";
    /// Logger configuration, JSON.
    pub const SERVING_LOGGING_CONFIG: &str = "SERVING_LOGGING_CONFIG";
    /// Log level.
    pub const SERVING_LOGGING_LEVEL: &str = "SERVING_LOGGING_LEVEL";
    /// Namespace of the pod.
    pub const SERVING_NAMESPACE: &str = "SERVING_NAMESPACE";
    /// Service that the revision belongs to; may be empty.
    pub const SERVING_SERVICE: &str = "SERVING_SERVICE";
    /// Configuration that the revision belongs to.
    pub const SERVING_CONFIGURATION: &str = "SERVING_CONFIGURATION";
    /// Revision that the pod belongs to.
    pub const SERVING_REVISION: &str = "SERVING_REVISION";
    /// Name of the pod.
    pub const SERVING_POD: &str = "SERVING_POD";
    /// Address of the pod.
    pub const SERVING_POD_IP: &str = "SERVING_POD_IP";
    /// Namespace of the system.
    pub const SYSTEM_NAMESPACE: &str = "SYSTEM_NAMESPACE";
    /// Address of the node.
    pub const HOST_IP: &str = "HOST_IP";
    /// PEM bundle of internal certificate authorities.
    pub const ROOT_CA: &str = "ROOT_CA";
    /// Lowest TLS version of the queue-proxy; empty is its default.
    pub const QUEUE_PROXY_TLS_MIN_VERSION: &str = "QUEUE_PROXY_TLS_MIN_VERSION";
    /// Highest TLS version of the queue-proxy; empty is its default.
    pub const QUEUE_PROXY_TLS_MAX_VERSION: &str = "QUEUE_PROXY_TLS_MAX_VERSION";
    /// TLS ciphers of the queue-proxy, comma separated; empty is its default.
    pub const QUEUE_PROXY_TLS_CIPHER_SUITES: &str = "QUEUE_PROXY_TLS_CIPHER_SUITES";
    /// TLS curves of the queue-proxy, comma separated; empty is its default.
    pub const QUEUE_PROXY_TLS_CURVE_PREFERENCES: &str = "QUEUE_PROXY_TLS_CURVE_PREFERENCES";
    /// The same four of the activator.
    pub const ACTIVATOR_TLS_MIN_VERSION: &str = "ACTIVATOR_TLS_MIN_VERSION";
    /// See [`QUEUE_PROXY_TLS_MAX_VERSION`].
    pub const ACTIVATOR_TLS_MAX_VERSION: &str = "ACTIVATOR_TLS_MAX_VERSION";
    /// See [`QUEUE_PROXY_TLS_CIPHER_SUITES`].
    pub const ACTIVATOR_TLS_CIPHER_SUITES: &str = "ACTIVATOR_TLS_CIPHER_SUITES";
    /// See [`QUEUE_PROXY_TLS_CURVE_PREFERENCES`].
    pub const ACTIVATOR_TLS_CURVE_PREFERENCES: &str = "ACTIVATOR_TLS_CURVE_PREFERENCES";
    /// Keys of config-observability that differ from their default, JSON of texts.
    pub const OBSERVABILITY_CONFIG: &str = "OBSERVABILITY_CONFIG";
    /// Name of our own pod (activator, autoscaler, controller, webhook).
    pub const POD_NAME: &str = "POD_NAME";
    /// Address of our own pod (activator, autoscaler).
    pub const POD_IP: &str = "POD_IP";
    /// Domain of the cluster's own names (activator, autoscaler, controller).
    pub const CLUSTER_DOMAIN: &str = "CLUSTER_DOMAIN";
    /// Bounds of every port for requests; [`crate::serve::ServeSettings`] says what they mean.
    pub const MAX_CONNECTIONS: &str = "MAX_CONNECTIONS";
    /// See [`MAX_CONNECTIONS`].
    pub const HEADER_TIMEOUT_SECONDS: &str = "HEADER_TIMEOUT_SECONDS";
    /// See [`MAX_CONNECTIONS`].
    pub const IDLE_TIMEOUT_SECONDS: &str = "IDLE_TIMEOUT_SECONDS";
    /// See [`MAX_CONNECTIONS`].
    pub const MAX_HEADER_BYTES: &str = "MAX_HEADER_BYTES";
    /// See [`MAX_CONNECTIONS`].
    pub const MAX_HEADERS: &str = "MAX_HEADERS";
    /// See [`MAX_CONNECTIONS`].
    pub const MAX_URI_BYTES: &str = "MAX_URI_BYTES";
    /// See [`MAX_CONNECTIONS`].
    pub const HTTP2_MAX_STREAMS: &str = "HTTP2_MAX_STREAMS";
    /// See [`MAX_CONNECTIONS`].
    pub const HTTP2_MAX_RESETS: &str = "HTTP2_MAX_RESETS";
    /// What the app gets: its port and its place.
    pub const USER: [&str; 4] = ["PORT", "K_REVISION", "K_CONFIGURATION", "K_SERVICE"];
}

/// Certificates of the system's own connections (`system-internal-tls`; contract/data-plane 2.8).
pub mod certificate {
    /// Certificate, and Secret, of the pods of a namespace.
    pub const SERVING: &str = "serving-certs";
    /// Certificate, and Secret, of the activators; in the system's namespace.
    pub const ROUTING: &str = "routing-serving-certs";
    /// Volume of a pod with [`SERVING`].
    pub const VOLUME: &str = "server-certs";
    /// Where a queue-proxy finds [`CHAIN`] and [`KEY`] of [`SERVING`].
    pub const FOLDER: &str = "/var/lib/knative/certs";
    /// Key of a Secret: the certificate and what leads from it to its authority, PEM.
    pub const CHAIN: &str = "tls.crt";
    /// Key of a Secret: the private key, PEM.
    pub const KEY: &str = "tls.key";
    /// Key of a Secret: the authorities, PEM.
    pub const AUTHORITIES: &str = "ca.crt";
    /// Name of the activators in their certificate.
    pub const ROUTING_NAME: &str = "kn-routing";
    /// Before the namespace, in the certificate of its pods.
    pub const USER_PREFIX: &str = "kn-user-";
    /// Name in both, for clients that know only one.
    pub const DATA_PLANE_NAME: &str = "data-plane.knative.dev";
    /// Label of ConfigMaps and Secrets of the system's namespace with more authorities to believe, in
    /// all of their keys; its value is `true`.
    pub const TRUST_BUNDLE: &str = "networking.knative.dev/trust-bundle";
}

/// Names that pods and processes agree on.
pub mod name {
    /// The sidecar's container.
    pub const QUEUE_PROXY: &str = "queue-proxy";
    /// The port of the user container.
    pub const USER_PORT: &str = "user-port";
    /// Domain of the cluster's own names when nothing else is said.
    pub const CLUSTER_DOMAIN: &str = "cluster.local";
    /// Namespace of the system when nothing else is said.
    pub const SYSTEM_NAMESPACE: &str = "knative-serving";
    /// Service in front of the activators, by revision.
    pub const ACTIVATOR_SERVICE: &str = "activator-service";
    /// LoadBalancer Service in front of the activators.
    pub const EXTERNAL_SERVICE: &str = "fermata";
    /// ClusterIP Service in front of the activators.
    pub const LOCAL_SERVICE: &str = "fermata-internal";
    /// Headless Service of the activators: pods announce themselves to each.
    pub const ANNOUNCEMENT_SERVICE: &str = "activator-announcements";
    /// Secret with the key that announcements are signed with.
    pub const ANNOUNCEMENT_SECRET: &str = "fermata-announcements";
    /// The key in [`ANNOUNCEMENT_SECRET`].
    pub const ANNOUNCEMENT_KEY: &str = "key";
    /// Service of the autoscaler.
    pub const AUTOSCALER_SERVICE: &str = "autoscaler";
    /// Ingress class that our activators serve.
    pub const INGRESS_CLASS: &str = "fermata.ingress.networking.knative.dev";
    /// Path of statistics and metrics, on every port that has them.
    pub const METRICS_PATH: &str = "/metrics";
    /// Path of the queue-proxy's admin port that returns when the pod has drained.
    pub const DRAIN_PATH: &str = "/wait-for-drain";
}
