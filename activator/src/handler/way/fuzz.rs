//! Route tables and requests made up at random: nothing breaks, and what must hold of every way
//! does hold. `make fuzz` runs it for longer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::name::networking;
use crds::networking::{
    HeaderMatch, HttpOption, HttpRule, Ingress, IngressPath, IngressRule, IngressSpec,
    IngressSplit, IngressTls, Visibility,
};
use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use net::contract::{header, name};
use net::fuzz::for_a_while;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};

use super::{Astray, Destination, by_host};
use crate::handler::Transport;
use crate::route::{Side, Table};

const HOSTS: [&str; 8] = [
    "a.com",
    "A.com.",
    "a.com:80",
    "b.shop",
    "c.shop.svc.cluster.local",
    "[::1]",
    "",
    "ä.com",
];
const PATHS: [&str; 5] = ["", "/", "/a", "/a/b", "a"];
const NAMES: [&str; 8] = [
    "Knative-Serving-Namespace",
    "Knative-Serving-Revision",
    "Knative-Serving-Tag",
    "K-Original-Host",
    "K-Proxy-Request",
    "X-User",
    "Host",
    "not a name",
];
const VALUES: [&str; 6] = ["shop", "r-1", "r-2", "", "line\nbreak", "ä"];

fn texts<const N: usize>(texts: [&'static str; N]) -> impl Strategy<Value = String> {
    select(texts.to_vec()).prop_map(str::to_owned)
}

fn headers() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(texts(NAMES), texts(VALUES), 0..4)
}

fn split() -> impl Strategy<Value = IngressSplit> {
    let percent = prop_oneof![-1_i64..102, Just(i64::MAX), Just(i64::MIN)];
    (texts(VALUES), percent, headers()).prop_map(|(name, percent, append_headers)| IngressSplit {
        service_namespace: "shop".into(),
        service_name: name,
        percent,
        append_headers,
        ..IngressSplit::default()
    })
}

fn path() -> impl Strategy<Value = IngressPath> {
    let matches = btree_map(texts(NAMES), texts(VALUES), 0..2);
    let rewrite = option::of(texts(HOSTS));
    let parts = (
        option::of(texts(PATHS)),
        rewrite,
        matches,
        headers(),
        vec(split(), 0..3),
    );
    parts.prop_map(
        |(path, rewrite_host, matches, append_headers, splits)| IngressPath {
            path,
            rewrite_host,
            headers: matches
                .into_iter()
                .map(|(name, exact)| (name, HeaderMatch { exact }))
                .collect(),
            append_headers,
            splits,
        },
    )
}

fn rule() -> impl Strategy<Value = IngressRule> {
    let visibility = prop_oneof![Just(Visibility::ExternalIP), Just(Visibility::ClusterLocal)];
    (
        vec(texts(HOSTS), 0..3),
        visibility,
        option::of(vec(path(), 0..3)),
    )
        .prop_map(|(hosts, visibility, paths)| IngressRule {
            hosts,
            visibility,
            http: paths.map(|paths| HttpRule { paths }),
        })
}

fn ingress() -> impl Strategy<Value = Arc<Ingress>> {
    let tls = vec(vec(texts(HOSTS), 0..2), 0..2);
    (
        select(vec!["x", "y", "z"]),
        0_i64..3,
        vec(rule(), 0..3),
        tls,
        any::<bool>(),
    )
        .prop_map(|(name, created, rules, tls, redirected)| {
            let tls = tls.into_iter().map(|hosts| IngressTls {
                hosts,
                secret_name: "s".into(),
                secret_namespace: "shop".into(),
            });
            let spec = IngressSpec {
                rules,
                tls: tls.collect(),
                http_option: redirected.then_some(HttpOption::Redirected),
            };
            let mut ingress = Ingress::new(name, spec);
            let class = (networking::INGRESS_CLASS, name::INGRESS_CLASS);
            let class = (class.0.to_owned(), class.1.to_owned());
            ingress.metadata.namespace = Some("shop".into());
            ingress.metadata.annotations = Some([class].into());
            let created = k8s_openapi::jiff::Timestamp::from_second(created);
            ingress.metadata.creation_timestamp = created.ok().map(Time);
            Arc::new(ingress)
        })
}

fn request() -> impl Strategy<Value = Request<()>> {
    let sent = vec((texts(NAMES), texts(VALUES)), 0..5);
    (texts(HOSTS), texts(PATHS), sent).prop_filter_map("no request", |(host, path, sent)| {
        let mut request = Request::builder().uri(path).header("host", host);
        for (name, value) in sent {
            // What no client can send changes nothing.
            if http::HeaderName::try_from(&name).is_ok()
                && http::HeaderValue::try_from(&value).is_ok()
            {
                request = request.header(name, value);
            }
        }
        request.body(()).ok()
    })
}

fn copy(request: &Request<()>) -> Request<()> {
    let mut copy = Request::new(());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    copy
}

#[test]
fn fuzz_route_table() {
    let doors = (any::<bool>(), any::<bool>(), any::<[u32; 2]>());
    let strategy = (vec(ingress(), 0..4), request(), doors);
    for_a_while(
        "route table",
        &strategy,
        |(mut ingresses, request, doors)| {
            // Two objects of one name are one object.
            ingresses.sort_by_key(|ingress| ingress.metadata.name.clone());
            ingresses.dedup_by_key(|ingress| ingress.metadata.name.clone());
            let (outside, encrypted, dice) = doors;
            let side = if outside { Side::External } else { Side::Local };
            let transport = if encrypted {
                Transport::Tls
            } else {
                Transport::Plain
            };
            let table = Table::from_ingresses(&ingresses);
            let mut sent = copy(&request);
            let way = by_host(&table, side, transport, &mut sent, dice);
            ingresses.reverse();
            let same = Table::from_ingresses(&ingresses);
            let mut sent_again = copy(&request);
            let again = by_host(&same, side, transport, &mut sent_again, dice);
            prop_assert_eq!(&way, &again, "the order of objects decides nothing");
            prop_assert_eq!(sent.headers(), sent_again.headers());
            match &way {
                Ok(destination) => found(&ingresses, side, &sent, destination),
                Err(Astray::UseTls(_)) => {
                    prop_assert_eq!((side, transport), (Side::External, Transport::Plain));
                    Ok(())
                }
                Err(_) => Ok(()),
            }
        },
    );
}

/// What holds of a request that goes somewhere.
fn found(
    ingresses: &[Arc<Ingress>],
    side: Side,
    sent: &Request<()>,
    destination: &Destination,
) -> Result<(), TestCaseError> {
    prop_assert!(sent.headers().contains_key(header::ORIGINAL_HOST));
    for consumed in [header::NAMESPACE, header::REVISION] {
        prop_assert!(
            !sent.headers().contains_key(consumed),
            "{} went on",
            consumed
        );
    }
    let rules = ingresses.iter().flat_map(|ingress| &ingress.spec.rules);
    let mut visible =
        rules.filter(|rule| side == Side::Local || rule.visibility == Visibility::ExternalIP);
    prop_assert!(visible.next().is_some(), "no rule is visible from there");
    if let Destination::Revision(id) = destination {
        let rules = ingresses.iter().flat_map(|ingress| &ingress.spec.rules);
        let paths = rules.flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths));
        let values = paths.flat_map(|path| {
            let splits = path.splits.iter().map(|split| &split.append_headers);
            splits
                .chain([&path.append_headers])
                .flat_map(BTreeMap::values)
        });
        let values: Vec<_> = values.collect();
        for part in [id.namespace(), id.name()] {
            let ours = values.iter().any(|value| *value == part);
            prop_assert!(ours, "{} is the client's word", part);
        }
    }
    Ok(())
}
