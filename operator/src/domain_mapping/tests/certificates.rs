//! Contract/control-plane 3.8 and 4.10: the certificate of a domain, and what follows from it.

use crds::certificate::Certificate;
use crds::condition::{Truth, find};
use crds::domain_mapping::SecretTls;
use crds::name::networking;
use serde_json::{Value, json};

use super::{World, ingress, world};
use crate::domain_mapping::status::{Blocker, Outcome};

const DOMAIN: &str = "shop.example.org";

fn certified(world: &World) -> String {
    let status = world.status();
    Truth::of(find(&status.conditions, "CertificateProvisioned")).to_string()
}

fn url(world: &World) -> String {
    world.status().url.unwrap()
}

fn secured(http_protocol: &str) -> World {
    let mut world = world();
    let data = [
        ("external-domain-tls", "Enabled"),
        ("http-protocol", http_protocol),
    ];
    let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
    world
        .settings
        .insert("config-network".to_owned(), data.into());
    world
}

/// The order of `world`, as it stands after its issuer has said that.
fn ordered(world: &World, ready: Value, challenges: Value) -> Certificate {
    let mut order = world.plan().certificate.order().unwrap().clone();
    order.metadata.generation = Some(1);
    let status = json!({
        "observedGeneration": 1, "conditions": [ready], "http01Challenges": challenges,
    });
    order.status = serde_json::from_value(status).unwrap();
    order
}

fn said(status: &str) -> Value {
    json!({ "type": "Ready", "status": status, "reason": "R" })
}

#[test]
fn the_condition_and_the_url_follow_the_certificate() {
    let (http, https) = ("http://shop.example.org", "https://shop.example.org");
    let downgraded =
        "True HTTPDowngrade: Certificate shop.example.org is not ready downgrade HTTP.";
    let waiting = "Unknown CertificateNotReady: Certificate shop.example.org is not ready.";
    let failed =
        "False CertificateProvisionFailed: Certificate shop.example.org failed to be provisioned.";
    for (protocol, ready, expected, address) in [
        ("Enabled", None, downgraded, http),
        ("Enabled", Some("Unknown"), downgraded, http),
        ("Enabled", Some("False"), downgraded, http),
        ("Enabled", Some("True"), "True", https),
        ("Redirected", None, waiting, https),
        ("Redirected", Some("Unknown"), waiting, https),
        ("Redirected", Some("False"), failed, https),
        ("Redirected", Some("True"), "True", https),
    ] {
        let mut world = secured(protocol);
        world.certificate = ready.map(|ready| ordered(&world, said(ready), json!([])));
        assert_eq!(certified(&world), expected, "{protocol} {ready:?}");
        assert_eq!(url(&world), address, "{protocol} {ready:?}");
        let tls = world.plan().ingress.unwrap().spec.tls;
        let secrets: Vec<_> = tls.iter().map(|it| it.secret_name.as_str()).collect();
        let is_ready = ready == Some("True");
        assert_eq!(secrets, if is_ready { &[DOMAIN][..] } else { &[] });
    }
}

#[test]
fn a_certificate_of_the_users_own_needs_no_issuer() {
    let mut world = secured("Enabled");
    let secret_name = "mine".to_owned();
    world.mapping.spec.tls = Some(SecretTls { secret_name });
    assert!(certified(&world).starts_with("True CertificateExternallyProvided"));
    assert!(world.plan().certificate.order().is_none());
}

#[test]
fn the_annotation_turns_it_off() {
    for key in networking::DISABLE_EXTERNAL_DOMAIN_TLS {
        let mut world = secured("Enabled");
        world.mapping.metadata.annotations = Some([(key.to_owned(), "true".to_owned())].into());
        assert_eq!(
            certified(&world),
            "True TLSNotEnabled: external-domain-tls is not enabled"
        );
        assert!(world.plan().certificate.order().is_none());
    }
}

#[test]
fn someone_elses_certificate_is_in_the_way() {
    let mut world = secured("Redirected");
    let mut foreign = ordered(&world, said("True"), json!([]));
    foreign.metadata.owner_references = None;
    world.certificate = Some(foreign);
    world.ingress = Some(ingress(3, json!([])));
    assert_eq!(
        certified(&world),
        "False CertificateNotOwned: There is an existing certificate shop.example.org that we don't own."
    );
    assert_eq!(
        world.phase().ingress,
        Outcome::Blocked(Blocker::Uncertified)
    );
    assert!(world.plan().certificate.order().is_none());
}

#[test]
fn a_refused_order_is_told_even_where_plain_http_would_do() {
    let refused = secured("Enabled")
        .plan()
        .certificate
        .refused("no".to_owned());
    assert_eq!(
        refused.truth().to_string(),
        "False CertificateProvisionFailed: Certificate shop.example.org failed to be provisioned."
    );
}

#[test]
fn questions_of_the_issuer_come_before_the_target() {
    let question = |host: &str, token: &str| {
        json!({
            "url": format!("http://{host}/.well-known/acme-challenge/{token}"),
            "serviceName": token, "serviceNamespace": "shop", "servicePort": 8089,
        })
    };
    let asked = json!([
        question(DOMAIN, "b"),
        question("k.example.org", "c"),
        question(DOMAIN, "a")
    ]);
    let mut world = secured("Enabled");
    world.certificate = Some(ordered(&world, said("Unknown"), asked.clone()));
    let rules = world.plan().ingress.unwrap().spec.rules;
    let seen: Vec<(String, Vec<String>)> = rules
        .into_iter()
        .map(|rule| {
            let paths = rule.http.unwrap().paths.into_iter();
            let services = paths.map(|mut path| path.splits.remove(0).service_name);
            (rule.hosts.join(","), services.collect())
        })
        .collect();
    let owned = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        seen,
        [
            (DOMAIN.to_owned(), owned(&["a", "b", "cart"])),
            ("k.example.org".to_owned(), owned(&["c"])),
        ]
    );
    world.certificate = Some(ordered(&world, said("True"), asked));
    assert_eq!(world.plan().ingress.unwrap().spec.rules.len(), 1);
}
