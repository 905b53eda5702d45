mod shares;

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::name::networking;
use crds::networking::{
    HeaderMatch, HttpOption, HttpRule, Ingress, IngressPath, IngressRule, IngressSpec,
    IngressSplit, IngressTls, Visibility,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use net::contract::{header, name};

use super::{Compiled, Live, Side, Table, Target, host_of};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn split(revision: &str, percent: i64) -> IngressSplit {
    IngressSplit {
        service_namespace: "shop".into(),
        service_name: revision.into(),
        percent,
        append_headers: map(&[
            ("Knative-Serving-Namespace", "shop"),
            ("Knative-Serving-Revision", revision),
        ]),
        ..IngressSplit::default()
    }
}

fn path(splits: Vec<IngressSplit>) -> IngressPath {
    IngressPath {
        splits,
        ..IngressPath::default()
    }
}

fn rule(hosts: &[&str], visibility: Visibility, paths: Vec<IngressPath>) -> IngressRule {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    IngressRule {
        hosts,
        visibility,
        http: Some(HttpRule { paths }),
    }
}

fn ingress(name: &str, age: i64, rules: Vec<IngressRule>) -> Ingress {
    let mut ingress = Ingress::new(
        name,
        IngressSpec {
            rules,
            ..IngressSpec::default()
        },
    );
    ingress.metadata.namespace = Some("shop".into());
    ingress.metadata.annotations = Some(map(&[(networking::INGRESS_CLASS, name::INGRESS_CLASS)]));
    ingress.metadata.creation_timestamp = Some(Time(
        k8s_openapi::jiff::Timestamp::from_second(1_000_000 - age).unwrap(),
    ));
    ingress
}

fn cart() -> Ingress {
    ingress(
        "cart",
        0,
        vec![
            rule(
                &["cart.shop", "cart.shop.svc", "cart.shop.svc.cluster.local"],
                Visibility::ClusterLocal,
                vec![path(vec![split("cart-00001", 100)])],
            ),
            rule(
                &["cart.shop.example.com"],
                Visibility::ExternalIP,
                vec![path(vec![split("cart-00001", 100)])],
            ),
        ],
    )
}

fn table(ingresses: Vec<Ingress>) -> Table {
    Table::from_ingresses(&ingresses.into_iter().map(Arc::new).collect::<Vec<_>>())
}

fn target(table: &Table, side: Side, host: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect();
    let Some(rule) = table.rule(side, host) else {
        return "no host".into();
    };
    let Some(path) = rule.path(path, &headers) else {
        return "no path".into();
    };
    match &path.split(0).unwrap().target {
        Target::Revision(id) => id.to_string(),
        Target::Host { host, otherwise } => format!("host {host}, else {otherwise}"),
        Target::Service(backend) => format!("service {backend}"),
    }
}

#[test]
fn cluster_local_hosts_exist_inside_only() {
    let table = table(vec![cart()]);
    let cases = [
        (Side::External, "cart.shop.example.com", "shop/cart-00001"),
        (Side::External, "cart.shop.svc.cluster.local", "no host"),
        (Side::External, "other.example.com", "no host"),
        (Side::Local, "cart.shop.example.com", "shop/cart-00001"),
        (Side::Local, "cart.shop", "shop/cart-00001"),
        (
            Side::Local,
            "cart.shop.svc.cluster.local",
            "shop/cart-00001",
        ),
    ];
    for (side, host, expected) in cases {
        assert_eq!(
            target(&table, side, host, "/", &[]),
            expected,
            "{side:?} {host}"
        );
    }
}

#[test]
fn hosts_are_compared_without_port_case_and_trailing_dot() {
    let cases = [
        ("cart.example.com", "cart.example.com"),
        ("cart.example.com:8080", "cart.example.com"),
        ("Cart.Example.COM.", "cart.example.com"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ];
    for (authority, host) in cases {
        assert_eq!(host_of(authority), host);
    }
}

#[test]
fn first_path_that_matches_wins() {
    let tagged = IngressPath {
        headers: [(
            "Knative-Serving-Tag".to_owned(),
            HeaderMatch {
                exact: "beta".into(),
            },
        )]
        .into(),
        ..path(vec![split("beta", 100)])
    };
    let paths = vec![
        tagged,
        IngressPath {
            path: Some("/pay".into()),
            ..path(vec![split("pay", 100)])
        },
        path(vec![split("rest", 100)]),
    ];
    let table = table(vec![ingress(
        "cart",
        0,
        vec![rule(&["a.example.com"], Visibility::ExternalIP, paths)],
    )]);
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(&str, Headers, &str); 5] = [
        ("/", &[("knative-serving-tag", "beta")], "shop/beta"),
        ("/pay/1", &[("knative-serving-tag", "beta")], "shop/beta"),
        ("/", &[("knative-serving-tag", "unknown")], "shop/rest"),
        ("/pay/1", &[], "shop/pay"),
        ("/other", &[], "shop/rest"),
    ];
    for (path, headers, expected) in cases {
        assert_eq!(
            target(&table, Side::External, "a.example.com", path, headers),
            expected
        );
    }
}

#[test]
fn oldest_ingress_keeps_a_host_that_two_claim() {
    let host = || vec![path(vec![split("old", 100)])];
    let old = ingress(
        "z",
        10,
        vec![rule(&["a.com"], Visibility::ExternalIP, host())],
    );
    let paths = vec![path(vec![split("new", 100)])];
    let new = ingress(
        "a",
        5,
        vec![rule(&["a.com", "b.com"], Visibility::ExternalIP, paths)],
    );
    for order in [vec![old.clone(), new.clone()], vec![new, old]] {
        let table = table(order);
        assert_eq!(
            target(&table, Side::External, "a.com", "/", &[]),
            "shop/old"
        );
        assert_eq!(
            target(&table, Side::External, "b.com", "/", &[]),
            "shop/new"
        );
        let [problem] = table.problems() else {
            panic!("one problem: {:?}", table.problems())
        };
        assert_eq!(problem.ingress.as_ref(), "shop/a");
    }
}

#[test]
fn malformed_paths_are_left_out_and_told() {
    let bad_header = IngressPath {
        path: Some("/bad".into()),
        append_headers: map(&[("no name", "x")]),
        ..path(vec![split("bad", 100)])
    };
    let no_backend = path(Vec::new());
    let paths = vec![bad_header, no_backend, path(vec![split("good", 100)])];
    let table = table(vec![ingress(
        "cart",
        0,
        vec![rule(&["a.com"], Visibility::ExternalIP, paths)],
    )]);
    assert_eq!(
        target(&table, Side::External, "a.com", "/bad", &[]),
        "shop/good"
    );
    assert_eq!(table.problems().len(), 2, "{:?}", table.problems());
}

#[test]
fn backend_without_a_revision_is_a_core_service() {
    let plain = IngressSplit {
        append_headers: BTreeMap::new(),
        service_port: IntOrString::Int(8080),
        ..split("plain", 100)
    };
    let rules = vec![rule(
        &["a.com"],
        Visibility::ExternalIP,
        vec![path(vec![plain])],
    )];
    let table = table(vec![ingress("cart", 0, rules)]);
    assert_eq!(
        target(&table, Side::External, "a.com", "/", &[]),
        "service shop/plain:8080"
    );
    let rule = table.rule(Side::External, "a.com").unwrap();
    let services: Vec<_> = rule.services(&table).map(ToString::to_string).collect();
    assert_eq!(services, ["shop/plain:8080"]);
}

#[test]
fn other_classes_and_leaving_objects_do_not_count() {
    let mut other = cart();
    other.metadata.annotations = Some(map(&[(
        networking::INGRESS_CLASS,
        "kourier.ingress.networking.knative.dev",
    )]));
    let mut leaving = cart();
    leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
    assert!(table(vec![other, leaving]).is_empty());
}

#[test]
fn rewritten_host_leads_to_the_table_again() {
    let mut mapped = path(vec![IngressSplit {
        service_namespace: "shop".into(),
        service_name: "cart".into(),
        percent: 100,
        append_headers: map(&[("K-Original-Host", "shop.com")]),
        ..IngressSplit::default()
    }]);
    mapped.rewrite_host = Some("cart.shop.svc.cluster.local".into());
    let mapping = ingress(
        "mapping",
        0,
        vec![rule(&["shop.com"], Visibility::ExternalIP, vec![mapped])],
    );
    let services = |table: &Table| {
        let rule = table.rule(Side::External, "shop.com").unwrap();
        rule.services(table)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        services(&self::table(vec![mapping.clone()])),
        ["shop/cart:0"]
    );
    let table = table(vec![cart(), mapping]);
    let none: [String; 0] = [];
    assert_eq!(services(&table), none);
    assert_eq!(
        target(&table, Side::External, "shop.com", "/", &[]),
        "host cart.shop.svc.cluster.local, else shop/cart:0"
    );
}

#[test]
fn path_headers_replace_split_headers_and_the_revision_is_consumed() {
    let mut wanted = path(vec![IngressSplit {
        append_headers: map(&[
            ("Knative-Serving-Namespace", "shop"),
            ("Knative-Serving-Revision", "cart-00001"),
            ("X-Both", "split"),
            ("X-Split", "split"),
        ]),
        ..split("cart-00001", 100)
    }]);
    wanted.append_headers = map(&[("x-both", "path")]);
    let table = table(vec![ingress(
        "cart",
        0,
        vec![rule(&["a.com"], Visibility::ExternalIP, vec![wanted])],
    )]);
    let path = table
        .rule(Side::External, "a.com")
        .unwrap()
        .path("/", &HeaderMap::new())
        .unwrap();
    let mut set: Vec<_> = path
        .split(0)
        .unwrap()
        .set
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    set.sort_unstable();
    assert_eq!(set, [("x-both", "path"), ("x-split", "split")]);
    assert!(set.iter().all(|(name, _)| *name != header::REVISION));
}

#[test]
fn redirect_needs_a_certificate_for_the_host() {
    let mut with = cart();
    with.spec.http_option = Some(HttpOption::Redirected);
    let mut without = with.clone();
    without.metadata.name = Some("bare".into());
    without.spec.rules = vec![rule(
        &["b.com"],
        Visibility::ExternalIP,
        vec![path(vec![split("b", 100)])],
    )];
    with.spec.tls = vec![IngressTls {
        hosts: vec!["cart.shop.example.com".into()],
        ..IngressTls::default()
    }];
    let table = table(vec![with, without]);
    let redirects = |host| table.rule(Side::Local, host).unwrap().redirect;
    assert!(redirects("cart.shop.example.com"));
    assert!(!redirects("cart.shop"));
    assert!(!redirects("b.com"));
}

#[test]
fn host_knows_the_secret_of_its_certificate() {
    let mut with = cart();
    with.spec.tls = vec![IngressTls {
        hosts: vec!["Cart.shop.example.com".into()],
        secret_name: "cart-tls".into(),
        secret_namespace: "shop".into(),
    }];
    let table = table(vec![with]);
    let secrets = |host| table.rule(Side::Local, host).unwrap().secrets().to_vec();
    assert_eq!(table.secret("cart.shop.example.com"), Some("shop/cart-tls"));
    assert_eq!(secrets("cart.shop.example.com"), ["shop/cart-tls".into()]);
    assert_eq!(table.secret("cart.shop"), None);
    assert!(secrets("cart.shop").is_empty());
}

#[test]
fn probes_learn_the_hash_of_the_owner() {
    let ingress = cart();
    let table = table(vec![ingress.clone()]);
    let rule = table.rule(Side::Local, "cart.shop").unwrap();
    assert_eq!(rule.hash.to_str().unwrap(), ingress.hash());
    assert_eq!(ingress.hash().len(), 64);
    let mut relabelled = ingress.clone();
    relabelled.metadata.labels = Some(map(&[("a", "b")]));
    assert_eq!(relabelled.hash(), ingress.hash());
    let mut moved = ingress.clone();
    moved.metadata.namespace = Some("other".into());
    assert_ne!(moved.hash(), ingress.hash());
}

#[test]
fn publication_happens_once_per_batch_of_changes() {
    let mut live = Live::default();
    let reader = live.reader();
    assert!(live.publish().is_none());
    live.insert(Compiled::of(&cart()).unwrap());
    assert!(reader.load().is_empty());
    assert_eq!(live.publish().unwrap().len(), 4);
    assert_eq!(reader.load().len(), 4);
    assert!(live.publish().is_none());
    live.remove("shop/unknown");
    assert!(live.publish().is_none());
    live.remove("shop/cart");
    assert!(live.publish().unwrap().is_empty());
}
