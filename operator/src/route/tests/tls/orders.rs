//! Certificates of others, those that are in doubt, and those that nobody needs any more.

use crds::certificate::Certificate;
use crds::condition::{Truth, find};
use crds::name::networking;
use crds::networking::Visibility;
use kube::ResourceExt;
use serde_json::json;

use super::{PUBLIC, certified, issued, lenient, local, ordered, said, strict, urls};
use crate::route::status::{Blocker, Phase, status};
use crate::route::tests::{World, latest, world};

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
