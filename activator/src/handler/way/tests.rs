use std::sync::Arc;

use crds::networking::Ingress;
use http::Request;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::super::Transport;
use super::{Astray, Destination, by_host, by_revision};
use crate::revision::RevisionId;
use crate::route::{Side, Table};
use crate::services::Backend;

fn ingress(name: &str, spec: &Value) -> Arc<Ingress> {
    let ingress = json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "annotations": {
                "networking.knative.dev/ingress.class": "fermata.ingress.networking.knative.dev",
            },
        },
        "spec": spec,
    });
    Arc::new(serde_json::from_value(ingress).unwrap())
}

fn split(revision: &str, more: &Value) -> Value {
    let mut headers = json!({
        "Knative-Serving-Namespace": "shop",
        "Knative-Serving-Revision": revision,
    });
    headers
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!([{
        "serviceNamespace": "shop", "serviceName": revision, "servicePort": 80, "percent": 100,
        "appendHeaders": headers,
    }])
}

fn table() -> Table {
    let tagged = json!({
        "headers": {"Knative-Serving-Tag": {"exact": "beta"}},
        "splits": split("cart-00002", &json!({})),
    });
    let default = json!({
        "splits": split("cart-00001", &json!({"Knative-Serving-Default-Route": "true"})),
    });
    let hosts = json!(["cart.shop.svc.cluster.local"]);
    let cart = json!({"rules": [
        {"hosts": hosts, "visibility": "ClusterLocal", "http": {"paths": [tagged, default]}},
    ]});
    let leads = |to: &str, original: &str| {
        json!({"paths": [{
            "rewriteHost": to,
            "splits": [{
                "serviceNamespace": "shop", "serviceName": "cart", "servicePort": 80, "percent": 100,
                "appendHeaders": {"K-Original-Host": original},
            }],
        }]})
    };
    let secure = json!({
        "httpOption": "Redirected",
        "tls": [{"hosts": ["secure.com"], "secretName": "s", "secretNamespace": "shop"}],
        "rules": [{"hosts": ["secure.com"], "http": {"paths": [
            {"splits": split("cart-00001", &json!({}))},
        ]}}],
    });
    Table::from_ingresses(&[
        ingress("cart", &cart),
        ingress(
            "mapping",
            &json!({"rules": [
                {"hosts": ["shop.com"], "http": leads("cart.shop.svc.cluster.local", "shop.com")},
                {"hosts": ["circle.com"], "http": leads("shop.com", "circle.com")},
                {"hosts": ["nowhere.com"], "http": leads("gone.svc", "nowhere.com")},
            ]}),
        ),
        ingress("secure", &secure),
    ])
}

fn request(host: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().uri("/a?b=c").header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn goes_to(revision: &str) -> Destination {
    Destination::Revision(RevisionId::new("shop", revision))
}

fn header<'a>(request: &'a Request<()>, name: &str) -> Option<&'a str> {
    request
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

#[test]
fn what_clients_claim_of_us_is_dropped() {
    let mut request = request(
        "cart.shop.svc.cluster.local:8081",
        &[
            ("Knative-Serving-Revision", "evil"),
            ("Knative-Serving-Namespace", "evil"),
            ("Knative-Serving-Tag", "unknown"),
            ("K-Original-Host", "evil.com"),
            ("K-Proxy-Request", "activator"),
            ("K-Passthrough-Lb", "true"),
            ("X-Kept", "yes"),
        ],
    );
    let revision = by_host(
        &table(),
        Side::Local,
        Transport::Plain,
        &mut request,
        [0, 0],
    )
    .unwrap();
    assert_eq!(revision, goes_to("cart-00001"));
    let expected = [
        ("knative-serving-revision", None),
        ("knative-serving-namespace", None),
        ("knative-serving-tag", None),
        ("k-proxy-request", None),
        ("k-passthrough-lb", None),
        ("k-original-host", Some("cart.shop.svc.cluster.local:8081")),
        ("knative-serving-default-route", Some("true")),
        ("x-kept", Some("yes")),
    ];
    for (name, value) in expected {
        assert_eq!(header(&request, name), value, "{name}");
    }
}

#[test]
fn header_that_chose_the_path_goes_on() {
    let mut request = request(
        "cart.shop.svc.cluster.local",
        &[("Knative-Serving-Tag", "beta")],
    );
    let revision = by_host(
        &table(),
        Side::Local,
        Transport::Plain,
        &mut request,
        [0, 0],
    )
    .unwrap();
    assert_eq!(revision, goes_to("cart-00002"));
    assert_eq!(header(&request, "knative-serving-tag"), Some("beta"));
}

#[test]
fn mapped_domain_leads_to_the_route_and_is_remembered() {
    let mut request = request("Shop.com", &[("K-Original-Host", "evil.com")]);
    let revision = by_host(
        &table(),
        Side::External,
        Transport::Plain,
        &mut request,
        [0, 0],
    )
    .unwrap();
    assert_eq!(revision, goes_to("cart-00001"));
    assert_eq!(
        header(&request, "host"),
        Some("cart.shop.svc.cluster.local")
    );
    assert_eq!(header(&request, "k-original-host"), Some("shop.com"));
}

#[test]
fn mapped_domain_leads_to_a_core_service_that_is_no_route() {
    let mut request = request("nowhere.com", &[]);
    let to = by_host(
        &table(),
        Side::External,
        Transport::Plain,
        &mut request,
        [0, 0],
    );
    let backend = Backend::new("shop", "cart", IntOrString::Int(80));
    assert_eq!(to, Ok(Destination::Service(backend)));
    assert_eq!(header(&request, "host"), Some("gone.svc"));
}

#[test]
fn requests_without_a_way_are_told_why() {
    let cases = [
        (Side::External, "unknown.com", Astray::NoRoute),
        (
            Side::External,
            "cart.shop.svc.cluster.local",
            Astray::NoRoute,
        ),
        (Side::External, "circle.com", Astray::NoRoute),
        (
            Side::External,
            "Secure.com:8080",
            Astray::UseTls("https://secure.com/a?b=c".parse().unwrap()),
        ),
    ];
    for (side, host, expected) in cases {
        let mut request = request(host, &[]);
        assert_eq!(
            by_host(&table(), side, Transport::Plain, &mut request, [0, 0]),
            Err(expected),
            "{host}"
        );
    }
    assert!(
        by_host(
            &table(),
            Side::Local,
            Transport::Plain,
            &mut request("secure.com", &[]),
            [0, 0]
        )
        .is_ok()
    );
    let mut hostless = Request::new(());
    assert_eq!(
        by_host(
            &table(),
            Side::Local,
            Transport::Plain,
            &mut hostless,
            [0, 0]
        ),
        Err(Astray::BadHost)
    );
}

#[test]
fn revision_is_named_by_headers_or_by_host() {
    let named: &'static [(&str, &str)] = &[
        ("Knative-Serving-Namespace", "shop"),
        ("Knative-Serving-Revision", "cart-00001"),
    ];
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(&str, Headers, Option<&str>); 6] = [
        ("cart.example.com", named, Some("shop/cart-00001")),
        (
            "cart-00002.shop.svc.cluster.local",
            &[],
            Some("shop/cart-00002"),
        ),
        (
            "cart-00002.shop.svc.cluster.local:80",
            &[],
            Some("shop/cart-00002"),
        ),
        ("cart-00002.shop.svc.other.domain", &[], None),
        ("a.b.shop.svc.cluster.local", &[], None),
        (
            "cart.example.com",
            &[("Knative-Serving-Revision", "cart-00001")],
            None,
        ),
    ];
    for (host, headers, expected) in cases {
        let mut request = request(host, headers);
        let revision = by_revision(&mut request, "cluster.local");
        let shown = revision.map(|revision| revision.to_string());
        match expected {
            Some(expected) => {
                assert_eq!(shown.as_deref(), Ok(expected), "{host}");
                assert_eq!(header(&request, "k-original-host"), Some(host));
                assert_eq!(header(&request, "knative-serving-revision"), None);
            }
            None => assert_eq!(shown, Err(Astray::NoRevision(host.into()))),
        }
    }
}
