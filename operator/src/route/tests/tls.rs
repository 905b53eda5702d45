//! Contract/control-plane 3.7, 4.3, 4.9: certificates, schemes, and what the condition says.

use crds::certificate::Certificate;
use crds::condition::{Truth, find};
use crds::name::networking;
use crds::networking::{Ingress, Visibility};
use crds::route::RouteStatus;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{World, latest, world};
use crate::certificate::order::adler32;
use crate::route::status::{Blocker, Phase, status};

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

#[test]
fn someone_elses_certificate_is_in_the_way() {
    let mut world = issued(strict());
    world.certificates[0].metadata.owner_references = None;
    let expected =
        "False CertificateNotOwned: There is an existing certificate route-u that we don't own.";
    assert_eq!(certified(&world), expected);
    let Err(phase) = world.plan() else {
        panic!("nothing may be touched");
    };
    assert_eq!(
        *phase,
        Phase::Blocked(
            match &*phase {
                Phase::Blocked(own, _) => own.clone(),
                other => panic!("{other:?}"),
            },
            Blocker::CertificateTaken("route-u".to_owned()),
        )
    );
    assert_eq!(urls(&world.status()).0, Some("http://r.ns.example.com"));
}

#[test]
fn a_refused_certificate_is_told_and_the_ingress_is_as_before() {
    let world = strict();
    let own = world.plan().unwrap().own;
    let refused = Blocker::CertificateRefused("route-u".to_owned(), "no".to_owned());
    let status = status(&world.route, &Phase::Blocked(own, refused), world.time());
    let text = |name| Truth::of(find(&status.conditions, name)).to_string();
    assert_eq!(
        text("CertificateProvisioned"),
        "False CertificateProvisionFailed: Certificate route-u fails to be provisioned: no"
    );
    assert_eq!(
        text("IngressReady"),
        "Unknown IngressNotConfigured: Ingress has not yet been reconciled."
    );
}

fn wildcard(name: &str, ready: &str, dns_name: &str) -> Certificate {
    serde_json::from_value(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
        "metadata": {
            "name": name, "namespace": "ns", "generation": 1,
            "labels": { "networking.knative.dev/wildcardDomain": "example.com" },
        },
        "spec": { "dnsNames": [dns_name], "secretName": name },
        "status": { "observedGeneration": 1, "conditions": [said(ready, "W")] },
    }))
    .unwrap()
}

#[test]
fn a_wildcard_of_the_namespace_stands_in() {
    let ready = wildcard("ns.example.com", "True", "*.ns.example.com");
    let rows = [
        ("ready", vec![ready.clone()], Some("ns.example.com"), 0),
        (
            "a ready one first",
            vec![wildcard("a", "Unknown", "*.ns.example.com"), ready],
            Some("ns.example.com"),
            0,
        ),
        (
            "not yet",
            vec![wildcard("a", "Unknown", "*.ns.example.com")],
            None,
            0,
        ),
        (
            "another namespace",
            vec![wildcard("a", "True", "*.other.example.com")],
            None,
            1,
        ),
        (
            "no wildcard",
            vec![wildcard("a", "True", "x.ns.example.com")],
            None,
            1,
        ),
        (
            "above",
            vec![wildcard("a", "True", "*.example.com")],
            None,
            1,
        ),
    ];
    for (case, certificates, secret, wanted) in rows {
        let world = World {
            certificates,
            ..strict()
        };
        let plan = world.plan().unwrap();
        assert_eq!(plan.tls.wanted.len(), wanted, "{case}");
        let secrets: Vec<_> = plan
            .ingress
            .spec
            .tls
            .iter()
            .map(|it| it.secret_name.as_str())
            .collect();
        assert_eq!(secrets, Vec::from_iter(secret), "{case}");
    }
    let pending = World {
        certificates: vec![wildcard("a", "Unknown", "*.ns.example.com")],
        ..strict()
    };
    assert_eq!(
        certified(&pending),
        "Unknown CertificateNotReady: Certificate a is not ready: W"
    );
}

#[test]
fn certificates_of_hosts_that_are_gone_go() {
    let orphan = |purpose: &str, host: &str| {
        let mut certificate = issued(strict()).certificates.remove(0);
        certificate.metadata.name = Some(format!("{purpose} {host}"));
        certificate.spec.dns_names = vec![host.to_owned()];
        let labels = certificate.metadata.labels.as_mut().unwrap();
        labels.insert(networking::CERTIFICATE_TYPE.to_owned(), purpose.to_owned());
        certificate
    };
    let mut foreign = orphan("external-domain", "theirs.example.com");
    foreign.metadata.owner_references = None;
    let certificates = vec![
        orphan("external-domain", "old-r.ns.example.com"),
        orphan("external-domain", PUBLIC),
        orphan("cluster-local-domain", "old-r.ns"),
        orphan("system-internal", "x"),
        foreign,
    ];
    for (world, expected) in [
        (strict(), vec!["external-domain old-r.ns.example.com"]),
        (local(), vec!["cluster-local-domain old-r.ns"]),
        (world(latest()), vec![]),
    ] {
        let world = World {
            certificates: certificates.clone(),
            ..world
        };
        let unwanted = world.plan().unwrap().tls.unwanted;
        let names: Vec<String> = unwanted.iter().map(|it| it.name_any()).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn questions_of_the_issuer_come_before_the_apps_paths() {
    let question = |token: &str, host: &str| {
        json!({
            "url": format!("http://{host}/.well-known/acme-challenge/{token}"),
            "serviceName": format!("solver-{token}"), "serviceNamespace": "ns", "servicePort": 8089,
        })
    };
    let asked = json!([
        question("b", PUBLIC),
        question("a", PUBLIC),
        question("c", "k.example.com"),
        { "url": "http://r.ns.example.com/.well-known/acme-challenge/x" },
        { "serviceName": "s" },
    ]);
    let renewing = json!({ "type": "Renewing", "status": "True" });
    for (case, conditions, expected) in [
        ("pending", json!([said("Unknown", "W")]), 2),
        ("ready", json!([said("True", "")]), 0),
        ("renewing", json!([said("True", ""), renewing]), 2),
    ] {
        let mut world = strict();
        world.certificates = ordered(&world, &said("True", ""));
        let status =
            json!({ "observedGeneration": 1, "conditions": conditions, "http01Challenges": asked });
        world.certificates[0].status = serde_json::from_value(status).unwrap();
        for rule in world.plan().unwrap().ingress.spec.rules {
            let is_public = rule.visibility == Visibility::ExternalIP;
            let paths = rule.http.unwrap().paths;
            let solvers: Vec<&str> = paths
                .iter()
                .filter(|it| it.path.is_some())
                .map(|it| it.splits[0].service_name.as_str())
                .collect();
            let expected = if is_public {
                &["solver-a", "solver-b"][..expected]
            } else {
                &[]
            };
            assert_eq!(solvers, expected, "{case}");
            assert_eq!(paths.last().unwrap().path, None, "{case}");
        }
    }
}

#[test]
fn the_class_is_handed_down_in_its_first_spelling() {
    let mut world = strict();
    let own = |world: &World| {
        let annotations = world.plan().unwrap().tls.wanted[0]
            .metadata
            .annotations
            .clone();
        annotations.unwrap()
    };
    let class = |world: &World| own(world)[networking::CERTIFICATE_CLASS].clone();
    assert_eq!(
        class(&world),
        "cert-manager.certificate.networking.knative.dev"
    );
    let annotate = |world: &mut World, key: &str| {
        let annotations = [
            (key.to_owned(), "mine".to_owned()),
            ("a".to_owned(), "b".to_owned()),
        ];
        world.route.metadata.annotations = Some(annotations.into());
    };
    for key in [
        networking::CERTIFICATE_CLASS,
        networking::CERTIFICATE_CLASS_ALT,
    ] {
        annotate(&mut world, key);
        assert_eq!(class(&world), "mine");
        assert_eq!(own(&world)["a"], "b");
        assert_eq!(own(&world).len(), 2);
    }
    annotate(&mut world, crds::name::LAST_APPLIED);
    assert!(!own(&world).contains_key(crds::name::LAST_APPLIED));
}

#[test]
fn a_second_pass_with_certificates_changes_nothing() {
    for world in [strict(), issued(strict()), issued(local()), lenient()] {
        let mut world = world;
        world.route.status = Some(world.status());
        world.now += 100;
        assert_eq!(world.route.status, Some(world.status()));
        let first = world.plan().unwrap();
        world.certificates.reverse();
        let second = world.plan().unwrap();
        assert_eq!(
            (first.tls.wanted, first.ingress),
            (second.tls.wanted, second.ingress)
        );
    }
}
