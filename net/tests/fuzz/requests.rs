//! Requests as a parser lets them through.

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use net::body::Body;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// Names that something happens to, beside any others.
const NAMES: [&str; 28] = [
    "connection",
    "content-length",
    "cookie",
    "forwarded",
    "host",
    "http2-settings",
    "k-kubelet-probe",
    "k-network-hash",
    "k-network-probe",
    "k-original-host",
    "k-passthrough-lb",
    "k-proxy-request",
    "k-",
    "keep-alive",
    "knative-serving-namespace",
    "knative-serving-revision",
    "knative-serving-tag",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-user",
];

const VALUES: [&str; 22] = [
    "",
    " ",
    ",",
    "activator",
    "chunked",
    "close, te, x-user",
    "h2c",
    "host",
    "kube-probe/1.34",
    "Knative-Activator-Probe",
    "Upgrade",
    "keep-alive, Upgrade",
    "override",
    "probe",
    "queue",
    "trailers",
    "websocket",
    "a.example.com:8080",
    "[2001:db8::1]",
    "::1, 10.0.0.1, \"x",
    "user@host",
    "::ffff:1.2.3.4",
];

const HOSTS: [&str; 6] = [
    "a.example.com",
    "A.example.COM.:80",
    "[::1]:80",
    "user:pass@a",
    "a:99999",
    "a",
];

pub(crate) fn name() -> impl Strategy<Value = HeaderName> {
    let made_up = "[a-z!#$%&'*+.^_`|~0-9-]{1,12}"
        .prop_filter_map("no name", |text| HeaderName::try_from(text).ok());
    prop_oneof![
        8 => proptest::sample::select(&NAMES[..]).prop_map(HeaderName::from_static),
        1 => made_up,
    ]
}

pub(crate) fn value() -> impl Strategy<Value = HeaderValue> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..40)
        .prop_filter_map("no value", |bytes| HeaderValue::from_bytes(&bytes).ok());
    prop_oneof![
        6 => proptest::sample::select(&VALUES[..]).prop_map(HeaderValue::from_static),
        2 => proptest::sample::select(&HOSTS[..]).prop_map(HeaderValue::from_static),
        2 => bytes,
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let path = "(/[a-z%.?/=&-]{0,20})?";
    let origin = path.prop_filter_map("no URI", |path| path.parse().ok());
    let absolute = (proptest::sample::select(&HOSTS[..]), path)
        .prop_filter_map("no URI", |(host, path)| {
            format!("http://{host}{path}").parse().ok()
        });
    prop_oneof![origin, absolute, Just(Uri::from_static("*"))]
}

pub(crate) fn request() -> impl Strategy<Value = Request<Body>> {
    let headers = proptest::collection::vec((name(), value()), 0..20);
    let method = proptest::sample::select(vec![Method::GET, Method::POST, Method::CONNECT]);
    (method, uri(), headers).prop_map(|(method, uri, headers)| {
        let mut request = Request::new(Body::Empty);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for (name, value) in headers {
            request.headers_mut().append(name, value);
        }
        request
    })
}
