//! Contract/control-plane 3.8: each condition, and what follows for Ready.

use crds::condition::{READY, Truth, find};
use crds::domain_mapping::DomainMappingStatus;
use serde_json::json;

use super::{World, claim, ingress, mapping, world};
use crate::domain_mapping::claim::{Claim, Denial};

fn said(status: &DomainMappingStatus, name: &str) -> String {
    Truth::of(find(&status.conditions, name)).to_string()
}

#[test]
fn the_domain_is_the_first_ones() {
    let taken =
        "False DomainAlreadyClaimed: The domain name is already in use by another DomainMapping";
    let free = "no ClusterDomainClaim found for domain \"shop.example.org\" \
                (and autocreate-cluster-domain-claims property is not true)";
    let other = "namespace \"shop\" does not own ClusterDomainClaim for \"shop.example.org\"";
    for (claim, autocreate, condition, trouble) in [
        (Some(claim("shop")), "false", "True", None),
        (Some(claim("other")), "false", taken, Some(other)),
        (Some(claim("other")), "true", taken, Some(other)),
        (None, "false", taken, Some(free)),
        (None, "true", "True", None),
    ] {
        let key = (
            "autocreate-cluster-domain-claims".to_owned(),
            autocreate.to_owned(),
        );
        let settings = [("config-network".to_owned(), [key].into())].into();
        let world = World {
            claim,
            settings,
            ..world()
        };
        assert_eq!(said(&world.status(), "DomainClaimed"), condition);
        let told = world.phase().trouble(&world.mapping);
        assert_eq!(told.as_deref(), trouble);
    }
    let refused = Claim::Denied(Denial::Refused("no".to_owned())).truth();
    assert_eq!(refused.to_string(), "False DomainClaimFailed: no");
}

#[test]
fn ready_names_the_claim_before_all_else() {
    let mut world = world();
    world.claim = Some(claim("other"));
    world.address = Some("http://elsewhere.com".to_owned());
    let status = world.status();
    assert!(said(&status, READY).starts_with("False DomainAlreadyClaimed"));
    assert!(said(&status, "ReferenceResolved").starts_with("False ResolveFailed"));
    world.claim = Some(claim("shop"));
    assert!(said(&world.status(), READY).starts_with("False ResolveFailed"));
}

#[test]
fn the_ingress_decides_once_it_speaks_of_its_newest_spec() {
    let waiting = "Unknown IngressNotConfigured: Ingress has not yet been reconciled.";
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    let unready = json!([{ "type": "Ready", "status": "Unknown", "reason": "Uninitialized", "message": "m" }]);
    let failed = json!([{ "type": "Ready", "status": "False", "reason": "R", "message": "m" }]);
    for (ingress, expected) in [
        (None, waiting),
        (Some(ingress(2, ready.clone())), waiting),
        (Some(ingress(3, json!([]))), waiting),
        (Some(ingress(3, ready)), "True"),
        (Some(ingress(3, unready)), "Unknown Uninitialized: m"),
        (Some(ingress(3, failed)), "False R: m"),
    ] {
        let world = World { ingress, ..world() };
        let status = world.status();
        assert_eq!(said(&status, "IngressReady"), expected);
        assert_eq!(said(&status, READY), expected);
    }
}

#[test]
fn what_is_in_the_way_of_the_ingress_is_told() {
    let mut foreign = ingress(3, json!([]));
    foreign.metadata.owner_references = None;
    let blocked = World {
        ingress: Some(foreign),
        ..world()
    };
    assert_eq!(
        said(&blocked.status(), "IngressReady"),
        "False NotOwned: There is an existing Ingress \"shop.example.org\" that we do not own."
    );
    let bad = World {
        mapping: mapping(json!({ "networking.knative.dev/http-protocol": "Gopher" })),
        ..world()
    };
    assert_eq!(
        said(&bad.status(), "IngressReady"),
        "False ErrorConfig: incorrect http-protocol annotation: gopher"
    );
}

/// The reference breaks after the mapping was ready: what is served is served on, and said so; but
/// of a new spec nothing is known.
#[test]
fn a_broken_reference_leaves_the_ingress_as_it_was() {
    let mut world = world();
    world.ingress = Some(ingress(3, json!([{ "type": "Ready", "status": "True" }])));
    let mut status = world.status();
    world.address = Some("http://elsewhere.com".to_owned());
    world.mapping.status = Some(status.clone());
    status = world.status();
    assert_eq!(said(&status, "IngressReady"), "True");
    assert!(said(&status, READY).starts_with("False ResolveFailed"));
    world.mapping.metadata.generation = Some(3);
    world.mapping.status = Some(status);
    let status = world.status();
    assert!(said(&status, "IngressReady").starts_with("Unknown IngressNotConfigured"));
    assert_eq!(status.observed_generation, Some(3));
}

#[test]
fn a_certificate_makes_the_url_secure() {
    let mut world = world();
    for (tls, scheme, url, condition) in [
        (
            None,
            "http",
            "http://shop.example.org",
            "True TLSNotEnabled: external-domain-tls is not enabled",
        ),
        (
            None,
            "https",
            "https://shop.example.org",
            "True TLSNotEnabled: external-domain-tls is not enabled",
        ),
        (
            Some("s"),
            "http",
            "https://shop.example.org",
            "True CertificateExternallyProvided: TLS certificate was provided externally",
        ),
    ] {
        let key = ("default-external-scheme".to_owned(), scheme.to_owned());
        world.settings = [("config-network".to_owned(), [key].into())].into();
        let tls =
            tls.map(|secret| serde_json::from_value(json!({ "secretName": secret })).unwrap());
        world.mapping.spec.tls = tls;
        let status = world.status();
        assert_eq!(status.url.as_deref(), Some(url));
        assert_eq!(status.address.clone().unwrap().url, status.url);
        assert_eq!(said(&status, "CertificateProvisioned"), condition);
    }
}
