//! Contract/control-plane 4.5.

use crds::networking::IngressStatus;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::{latest, world};
use crate::route::desired::placeholder::{Backing, backing, reborn, service};

fn gateway(public: Value, private: Value) -> IngressStatus {
    serde_json::from_value(json!({
        "publicLoadBalancer": public, "privateLoadBalancer": private,
    }))
    .unwrap()
}

fn name(name: &str) -> Option<Backing> {
    Some(Backing::Name(name.to_owned()))
}

#[test]
fn a_placeholder_leads_to_the_gateway() {
    let at = |entry: Value| json!({ "ingress": [entry] });
    let internal = |name: &str| at(json!({ "domainInternal": name }));
    let plan = world(latest()).plan().unwrap();
    let site = &plan.own.site;
    let own = || name("r.ns.example.com");
    let rows = [
        ("nothing known", gateway(Value::Null, Value::Null), own()),
        (
            "private first",
            gateway(internal("p"), internal("q")),
            name("q"),
        ),
        (
            "public else",
            gateway(internal("p"), Value::Null),
            name("p"),
        ),
        (
            "address first",
            gateway(
                at(json!({ "ip": "1.2.3.4", "domainInternal": "p", "domain": "d" })),
                Value::Null,
            ),
            Some(Backing::Address("1.2.3.4".to_owned())),
        ),
        (
            "internal name next",
            gateway(
                at(json!({ "domainInternal": "p", "domain": "d" })),
                Value::Null,
            ),
            name("p"),
        ),
        (
            "public name next",
            gateway(at(json!({ "domain": "d", "meshOnly": true })), Value::Null),
            name("d"),
        ),
        (
            "mesh last",
            gateway(at(json!({ "meshOnly": true })), Value::Null),
            Some(Backing::Mesh),
        ),
        ("nothing said", gateway(at(json!({})), Value::Null), own()),
        (
            "more than one",
            gateway(
                json!({ "ingress": [{ "ip": "1.1.1.1" }, { "ip": "2.2.2.2" }] }),
                Value::Null,
            ),
            own(),
        ),
    ];
    for (case, status, expected) in rows {
        assert_eq!(backing(site, Some(&status), None), expected, "{case}");
    }
    assert_eq!(backing(site, None, None), own());
}

#[test]
fn a_hidden_name_never_leads_outside() {
    let plan = world(latest()).plan().unwrap();
    let hidden: Service = serde_json::from_value(json!({
        "metadata": { "name": "r", "labels": { "networking.knative.dev/visibility": "cluster-local" } },
    }))
    .unwrap();
    let public = gateway(json!({ "ingress": [{ "domain": "d" }] }), Value::Null);
    assert_eq!(backing(&plan.own.site, Some(&public), Some(&hidden)), None);
}

#[test]
fn what_leads_somewhere_stays_while_no_gateway_is_known() {
    let plan = world(latest()).plan().unwrap();
    let route = world(latest()).route;
    for led in [
        Backing::Name("p".to_owned()),
        Backing::Mesh,
        Backing::Address(String::new()),
    ] {
        let current = service(&route, &plan.own.site, &led, None);
        assert_eq!(backing(&plan.own.site, None, Some(&current)), None);
        assert_eq!(Backing::of(&current), Some(led));
    }
}

#[test]
fn only_a_name_can_become_anything() {
    let (name, address, mesh) = (
        Backing::Name("n".to_owned()),
        Backing::Address("a".to_owned()),
        Backing::Mesh,
    );
    for (from, to, is_fixed) in [
        (&name, &address, false),
        (&name, &mesh, false),
        (&address, &address, false),
        (&mesh, &mesh, false),
        (&address, &name, true),
        (&address, &mesh, true),
        (&mesh, &name, true),
        (&mesh, &address, true),
    ] {
        assert_eq!(from.is_fixed(to), is_fixed, "{from:?} to {to:?}");
    }
}

#[test]
fn visibility_survives_a_new_birth_and_is_never_ours_otherwise() {
    let (plan, route) = (world(latest()).plan().unwrap(), world(latest()).route);
    let visibility = "networking.knative.dev/visibility";
    let mut old = service(&route, &plan.own.site, &Backing::Mesh, None);
    old.metadata
        .labels
        .as_mut()
        .unwrap()
        .insert(visibility.to_owned(), "cluster-local".to_owned());
    let has = |service: &Service| {
        service
            .metadata
            .labels
            .as_ref()
            .unwrap()
            .contains_key(visibility)
    };
    let name = Backing::Name("n".to_owned());
    assert!(!has(&service(&route, &plan.own.site, &name, Some(&old))));
    assert!(has(&reborn(&route, &plan.own.site, &name, &old)));
}
