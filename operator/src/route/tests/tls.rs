//! Contract/control-plane 3.7, 4.3, 4.9: certificates, schemes, and what the condition says.

mod orders;

use crds::certificate::Certificate;
use crds::condition::{Truth, find};
use crds::name::networking;
use crds::networking::Ingress;
use crds::route::RouteStatus;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{World, latest, world};
use crate::certificate::order::adler32;

const PUBLIC: &str = "r.ns.example.com";

fn certified(world: &World) -> String {
    let status = world.status();
    Truth::of(find(&status.conditions, "CertificateProvisioned")).to_string()
}

fn with(mut world: World, settings: &[(&str, &str)]) -> World {
    let data = settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    world
        .settings
        .insert("config-network".to_owned(), data.collect());
    world
}

/// Public hosts have certificates, and without one they don't answer plain HTTP.
fn strict() -> World {
    with(
        world(latest()),
        &[
            ("external-domain-tls", "Enabled"),
            ("http-protocol", "Redirected"),
        ],
    )
}

fn lenient() -> World {
    with(world(latest()), &[("external-domain-tls", "Enabled")])
}

fn local() -> World {
    with(world(latest()), &[("cluster-local-domain-tls", "Enabled")])
}

/// What the Route orders, as it looks once the API server has it and its issuer has said `ready`.
fn ordered(world: &World, ready: &Value) -> Vec<Certificate> {
    let mut wanted = world.plan().unwrap().tls.wanted;
    for certificate in &mut wanted {
        certificate.metadata.generation = Some(1);
        let status = json!({ "observedGeneration": 1, "conditions": [ready] });
        certificate.status = serde_json::from_value(status).unwrap();
    }
    wanted
}

fn said(status: &str, reason: &str) -> Value {
    json!({ "type": "Ready", "status": status, "reason": reason, "message": "m" })
}

fn issued(mut world: World) -> World {
    world.certificates = ordered(&world, &said("True", ""));
    world
}

fn is_secure(ingress: &Ingress) -> Vec<(&str, &str)> {
    let tls = ingress.spec.tls.iter();
    tls.map(|it| (it.hosts[0].as_str(), it.secret_name.as_str()))
        .collect()
}

fn urls(status: &RouteStatus) -> (Option<&str>, Option<&str>) {
    let address = status.address.as_ref().and_then(|it| it.url.as_deref());
    (status.url.as_deref(), address)
}

#[test]
fn the_condition_follows_the_certificate() {
    let rows = [
        (
            "nothing yet",
            None,
            "Unknown CertificateNotReady: Certificate route-u is not ready: ",
        ),
        (
            "at work",
            Some(said("Unknown", "W")),
            "Unknown CertificateNotReady: Certificate route-u is not ready: W",
        ),
        (
            "failed",
            Some(said("False", "F")),
            "False CertificateProvisionFailed: Certificate route-u fails to be provisioned: F",
        ),
        ("issued", Some(said("True", "")), "True"),
    ];
    for (case, ready, expected) in rows {
        let mut world = strict();
        if let Some(ready) = &ready {
            world.certificates = ordered(&world, ready);
        }
        assert_eq!(certified(&world), expected, "{case}");
        assert_eq!(
            urls(&world.status()).0,
            Some("https://r.ns.example.com"),
            "{case}"
        );
        let is_issued = expected == "True";
        let ingress = world.plan().unwrap().ingress;
        assert_eq!(
            is_secure(&ingress).contains(&(PUBLIC, "route-u")),
            is_issued,
            "{case}"
        );
    }
}

#[test]
fn plain_http_is_good_enough_where_the_setting_says_so() {
    for ready in [said("Unknown", "W"), said("False", "F")] {
        let mut world = lenient();
        world.certificates = ordered(&world, &ready);
        assert_eq!(
            certified(&world),
            "True HTTPDowngrade: Certificate route-u is not ready downgrade HTTP."
        );
        assert_eq!(urls(&world.status()).0, Some("http://r.ns.example.com"));
    }
    let world = issued(lenient());
    assert_eq!(urls(&world.status()).0, Some("https://r.ns.example.com"));
    // The scheme of hosts without certificates does not count any more.
    let external = with(
        world.clone(),
        &[
            ("external-domain-tls", "Enabled"),
            ("default-external-scheme", "https"),
        ],
    );
    let pending = World {
        certificates: Vec::new(),
        ..external
    };
    assert_eq!(urls(&pending.status()).0, Some("http://r.ns.example.com"));
}

#[test]
fn what_was_said_of_another_order_does_not_count() {
    let mut moved = issued(strict());
    moved.certificates[0].spec.dns_names = vec!["old.ns.example.com".to_owned()];
    let mut stale = issued(strict());
    stale.certificates[0].metadata.generation = Some(2);
    let mut elsewhere = issued(strict());
    let annotations = elsewhere.certificates[0]
        .metadata
        .annotations
        .as_mut()
        .unwrap();
    annotations.insert(networking::CERTIFICATE_CLASS.to_owned(), "other".to_owned());
    for world in [moved, stale, elsewhere] {
        assert!(certified(&world).starts_with("Unknown CertificateNotReady"));
    }
}

#[test]
fn the_feature_and_the_annotation_turn_it_off() {
    let off = "True TLSNotEnabled: external-domain-tls is not enabled";
    assert_eq!(certified(&world(latest())), off);
    let keys = [
        "disable-external-domain-tls",
        "disableAutoTLS",
        "disable-auto-tls",
    ];
    for (key, value, is_off) in keys.into_iter().flat_map(|key| {
        [
            (key, "true", true),
            (key, "1", true),
            (key, "false", false),
            (key, "?", false),
        ]
    }) {
        let mut world = strict();
        let key = format!("networking.knative.dev/{key}");
        world.route.metadata.annotations = Some([(key.clone(), value.to_owned())].into());
        assert_eq!(certified(&world) == off, is_off, "{key}: {value}");
        assert_eq!(
            world.plan().unwrap().tls.wanted.is_empty(),
            is_off,
            "{key}: {value}"
        );
    }
}

#[test]
fn hosts_inside_need_no_certificate_for_outside() {
    let mut world = strict();
    let private = (
        networking::VISIBILITY.to_owned(),
        networking::CLUSTER_LOCAL.to_owned(),
    );
    world.route.metadata.labels = Some([private].into());
    assert_eq!(
        certified(&world),
        "True TLSNotEnabled: TLS is not enabled for cluster-local"
    );
    assert!(world.plan().unwrap().tls.wanted.is_empty());
}

#[test]
fn every_tag_has_its_certificates() {
    let traffic = json!([
        { "configurationName": "c", "percent": 100 },
        { "revisionName": "c-1", "tag": "blue" },
    ]);
    let both = [
        ("external-domain-tls", "Enabled"),
        ("cluster-local-domain-tls", "Enabled"),
    ];
    let world = issued(with(super::world(traffic), &both));
    let plan = world.plan().unwrap();
    let names: Vec<String> = plan.tls.wanted.iter().map(ResourceExt::name_any).collect();
    let blue = format!("route-u-{}", adler32("blue"));
    let expected = [
        "route-u".to_owned(),
        blue.clone(),
        "route-u-local".to_owned(),
        format!("{blue}-local"),
    ];
    assert_eq!(names, expected);
    assert_eq!(
        is_secure(&plan.ingress),
        [
            (PUBLIC, "route-u"),
            ("blue-r.ns.example.com", blue.as_str()),
            ("r.ns", "route-u-local"),
            ("blue-r.ns", format!("{blue}-local").as_str()),
        ]
    );
    let status = world.status();
    assert_eq!(
        status.traffic[1].url.as_deref(),
        Some("https://blue-r.ns.example.com")
    );
    assert_eq!(certified(&world), "True");
}

#[test]
fn the_worst_certificate_gives_the_text() {
    let traffic = json!([
        { "configurationName": "c", "percent": 100 },
        { "revisionName": "c-1", "tag": "blue" },
    ]);
    let mut world = issued(World {
        route: super::route(traffic),
        ..strict()
    });
    let reason = |world: &World| certified(world).split(':').next().unwrap().to_owned();
    assert_eq!(reason(&world), "True");
    // The last one is in order, the first is not.
    world.certificates.remove(0);
    assert_eq!(reason(&world), "Unknown CertificateNotReady");
    world.certificates[0].status.as_mut().unwrap().conditions[0].status = "False".to_owned();
    assert_eq!(reason(&world), "False CertificateProvisionFailed");
}

#[test]
fn hosts_inside_are_secure_when_their_certificate_is_there() {
    let world = local();
    assert_eq!(
        certified(&world),
        "Unknown CertificateNotReady: Certificate route-u-local is not ready: "
    );
    assert_eq!(
        urls(&world.status()),
        (
            Some("http://r.ns.example.com"),
            Some("http://r.ns.svc.cluster.local")
        )
    );
    let world = issued(world);
    assert_eq!(certified(&world), "True");
    assert_eq!(
        urls(&world.status()),
        (
            Some("http://r.ns.example.com"),
            Some("https://r.ns.svc.cluster.local")
        )
    );
    let ingress = world.plan().unwrap().ingress;
    assert_eq!(
        ingress.spec.tls[0].hosts,
        ["r.ns", "r.ns.svc", "r.ns.svc.cluster.local"]
    );

    let mut private = issued(local());
    let label = (
        networking::VISIBILITY.to_owned(),
        networking::CLUSTER_LOCAL.to_owned(),
    );
    private.route.metadata.labels = Some([label].into());
    let address = Some("https://r.ns.svc.cluster.local");
    assert_eq!(urls(&private.status()), (address, address));
}
