//! What a reference comes down to, and who hears of its changes.

use std::time::Duration;

use crds::domain_mapping::KReference;
use crds::service::Service;
use jiff::Timestamp;
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use serde_json::json;

use super::world;
use crate::domain_mapping::reference::resolve;
use crate::domain_mapping::referent::{Address, Kind, Referent, address};
use crate::domain_mapping::wake::names;

#[test]
fn addresses_come_down_to_a_host_of_the_namespace() {
    let at = |url: &str| Referent::Addressable(Address::Url(url.to_owned()));
    let shown = "Kind = Service, Namespace = shop, Name = cart, \
                 APIVersion = serving.knative.dev/v1, Group = , Address = ";
    let form = "must be of the form {name}.{namespace}.svc.cluster.local";
    let cases = [
        (Referent::CoreService, Ok(("cart", "cart.shop.svc.cluster.local"))),
        (
            at("http://blue-cart.shop.svc.cluster.local/"),
            Ok(("blue-cart", "blue-cart.shop.svc.cluster.local")),
        ),
        (
            at("https://cart.shop.svc.cluster.local?a=b"),
            Ok(("cart", "cart.shop.svc.cluster.local")),
        ),
        (
            at("http://cart.shop.svc.cluster.local/path"),
            Err("resolved URI \"http://cart.shop.svc.cluster.local/path\" contains a path".to_owned()),
        ),
        (
            at("http://notasvc.cluster.local"),
            Err(format!("resolved URI \"http://notasvc.cluster.local\" {form}")),
        ),
        (
            at("http://cart.shop.svc.cluster.local:8080"),
            Err(format!("resolved URI \"http://cart.shop.svc.cluster.local:8080\" {form}")),
        ),
        (
            at("http://a.b.shop.svc.cluster.local"),
            Err(format!("resolved URI \"http://a.b.shop.svc.cluster.local\" {form}")),
        ),
        (
            at("http://cart.other.svc.cluster.local"),
            Err("resolved URI \"http://cart.other.svc.cluster.local\" must be in same namespace as DomainMapping".to_owned()),
        ),
        (at("/nowhere"), Err(format!("hostname missing in address of {shown}"))),
        (at("not a url"), Err(format!("hostname missing in address of {shown}"))),
        (
            Referent::Addressable(Address::Unset),
            Err(format!("address not set for {shown}")),
        ),
        (
            Referent::Addressable(Address::WithoutUrl),
            Err(format!("URL missing in address of {shown}")),
        ),
        (
            Referent::Missing("services.serving.knative.dev \"cart\" not found".to_owned()),
            Err("failed to get object shop/cart: services.serving.knative.dev \"cart\" not found".to_owned()),
        ),
    ];
    for (referent, expected) in cases {
        let came = resolve(&world().mapping, &referent, "cluster.local");
        let came = came
            .map(|it| (it.service, it.host))
            .map_err(|it| it.to_string());
        let expected = expected.map(|(service, host)| (service.to_owned(), host.to_owned()));
        assert_eq!(came, expected, "{referent:?}");
    }
}

#[test]
fn the_first_address_of_any_object_counts() {
    let at = |url: &str| Address::Url(url.to_owned());
    for (status, expected) in [
        (json!({ "address": { "url": "http://a" } }), at("http://a")),
        (
            json!({ "addresses": [{ "url": "http://b", "name": "http" }], "address": { "url": "http://a" } }),
            at("http://b"),
        ),
        (
            json!({ "address": { "CACerts": "x" } }),
            Address::WithoutUrl,
        ),
        (json!({ "addresses": [] }), Address::Unset),
        (json!({ "address": "http://a" }), Address::Unset),
        (json!(null), Address::Unset),
    ] {
        let object = json!({ "metadata": { "name": "x" }, "status": status });
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        assert_eq!(address(&object), expected, "{status}");
    }
}

#[test]
fn lookups_and_addresses_are_told_in_upstreams_words() {
    let mut world = world();
    for (address, expected) in [
        (
            "nowhere",
            "resolving reference: hostname missing in address of Kind = Service",
        ),
        (
            "http://cart.shop.svc.cluster.local/x",
            "resolved URI \"http://cart",
        ),
    ] {
        world.address = Some(address.to_owned());
        let told = world.phase().trouble(&world.mapping).unwrap();
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn watches_tell_of_known_kinds_and_others_are_polled() {
    for (api_version, kind, expected) in [
        ("serving.knative.dev/v1", "Service", Kind::Service),
        ("serving.knative.dev/v1", "Route", Kind::Route),
        ("v1", "Service", Kind::CoreService),
        ("serving.knative.dev/v1beta1", "Service", Kind::Polled),
        ("flows.knative.dev/v1", "Sequence", Kind::Polled),
    ] {
        let reference = KReference {
            api_version: Some(api_version.to_owned()),
            kind: kind.to_owned(),
            ..KReference::default()
        };
        assert_eq!(Kind::of(&reference), expected, "{api_version} {kind}");
    }
}

#[test]
fn only_what_a_mapping_refers_to_wakes_it() {
    let object = |namespace: &str, name: &str| -> Service {
        let metadata = json!({ "name": name, "namespace": namespace });
        serde_json::from_value(json!({
            "apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": metadata,
            "spec": { "template": { "spec": { "containers": [] } } },
        }))
        .unwrap()
    };
    let mapping = world().mapping;
    for (object, kind, expected) in [
        (object("shop", "cart"), Kind::Service, true),
        (object("shop", "cart"), Kind::CoreService, false),
        (object("shop", "other"), Kind::Service, false),
        (object("other", "cart"), Kind::Service, false),
    ] {
        assert_eq!(names(&mapping, kind, &object), expected);
    }
    // Written before the webhook filled in the namespace.
    let mut bare = mapping;
    bare.spec.reference.namespace = None;
    assert!(names(&bare, Kind::Service, &object("shop", "cart")));
}

#[test]
fn what_is_polled_is_looked_at_more_and_more_seldom() {
    let mut world = world();
    let status = world.status();
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
    let next =
        |world: &super::World, second| world.phase().next(&world.mapping, &status, at(second));
    assert_eq!(next(&world, 0), Action::await_change());
    world.mapping.spec.reference.kind = "Sequence".to_owned();
    for (second, pause) in [(-5, 1), (0, 1), (3, 3), (40, 40), (4000, 60)] {
        assert_eq!(
            next(&world, second),
            Action::requeue(Duration::from_secs(pause))
        );
    }
}
