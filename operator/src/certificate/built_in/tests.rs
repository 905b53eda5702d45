//! What is issued can be used, is renewed in time, and nothing of others is touched.
#![allow(
    clippy::too_many_lines,
    reason = "a table is as long as there are ways to spoil a Secret"
)]

use std::sync::Arc;
use std::time::Duration;

use crds::certificate::Certificate;
use crds::condition::Truth;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use serde_json::json;

use super::issued::{self, Judgement, judge};
use super::root::{self, Found, Root};
use super::{next, ready};
use crate::certificate::authority::{Authority, Certified};
use crate::certificate::report::Report;
use crate::golden::document;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-21T12:34:56Z".parse().unwrap()
}

fn after(days: i32) -> Timestamp {
    now() + DAY * days
}

fn certificate() -> Certificate {
    serde_json::from_value(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
        "metadata": { "name": "c", "namespace": "ns", "uid": "u", "generation": 3 },
        "spec": { "dnsNames": ["a.example.com", "*.b.example.com"], "secretName": "s" },
    }))
    .unwrap()
}

fn new_root(at: Timestamp) -> (Root, Secret) {
    let authority = Authority::create(root::NAME, at, root::LIFETIME).unwrap();
    let secret = root::secret("system", &authority, None, None);
    match root::find(Some(&secret), at) {
        Found::Usable(root) => (*root, secret),
        other => panic!("{other:?}"),
    }
}

fn issue(root: &Root, at: Timestamp) -> Certified {
    let names = certificate().spec.dns_names;
    root.authority.issue(&names, at, issued::LIFETIME).unwrap()
}

fn text(secret: &Secret, key: &str) -> String {
    issued::text(secret, key).unwrap()
}

/// Whether a client that trusts the bundle takes the certificate for `name` at `at`.
fn is_trusted(secret: &Secret, name: &str, at: Timestamp) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(text(secret, "ca.crt").as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let leaf = CertificateDer::from_pem_slice(text(secret, "tls.crt").as_bytes()).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let seconds = u64::try_from(at.as_second()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier
        .verify_server_cert(&leaf, &[], &name, &[], at)
        .is_ok()
}

#[test]
fn what_is_issued_is_trusted_for_its_names_while_it_lasts() {
    let (root, _) = new_root(now());
    let secret = issued::secret(&certificate(), &root, &issue(&root, now()));
    for (name, expected) in [
        ("a.example.com", true),
        ("x.b.example.com", true),
        ("b.example.com", false),
        ("x.example.com", false),
    ] {
        assert_eq!(is_trusted(&secret, name, now()), expected, "{name}");
    }
    for (days, expected) in [(-1, false), (0, true), (89, true), (90, true), (91, false)] {
        assert_eq!(
            is_trusted(&secret, "a.example.com", after(days)),
            expected,
            "{days}"
        );
    }
    let key = PrivateKeyDer::from_pem_slice(text(&secret, "tls.key").as_bytes()).unwrap();
    let leaf = CertificateDer::from_pem_slice(text(&secret, "tls.crt").as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key);
    assert!(server.is_ok(), "the key fits");
}

#[test]
fn the_secret_is_one_that_gateways_know() {
    let (root, _) = new_root(now());
    let secret = issued::secret(&certificate(), &root, &issue(&root, now()));
    let mut shown = document(&secret);
    shown["data"] = serde_yaml::to_value(secret.data.unwrap().keys().collect::<Vec<_>>()).unwrap();
    shown["metadata"]["annotations"]["fermata.dev/issued"] = "…".into();
    let wanted = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {
            "name": "s", "namespace": "ns",
            "labels": { "networking.internal.knative.dev/certificate-uid": "u" },
            "annotations": {
                "fermata.dev/issued": "…", "fermata.dev/not-after": "2027-02-19T12:34:56Z",
            },
            "ownerReferences": [{
                "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
                "name": "c", "uid": "u", "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "data": ["ca.crt", "tls.crt", "tls.key"],
    });
    assert_eq!(shown, document(&wanted));
}

#[test]
fn a_secret_is_worth_what_was_ordered() {
    let (root, _) = new_root(now());
    let (other, _) = new_root(now());
    let end = after(90);
    let good = || issued::secret(&certificate(), &root, &issue(&root, now()));
    let changed = |change: fn(&mut Secret)| {
        let mut secret = good();
        change(&mut secret);
        secret
    };
    let garbage = |key: &'static str| {
        let mut secret = good();
        let data = secret.data.as_mut().unwrap();
        data.insert(key.to_owned(), ByteString(b"x".to_vec()));
        secret
    };
    let rows = [
        ("missing", None, Judgement::Due),
        ("good", Some(good()), Judgement::Holds(end)),
        ("certificate", Some(garbage("tls.crt")), Judgement::Due),
        ("key", Some(garbage("tls.key")), Judgement::Due),
        ("bundle", Some(garbage("ca.crt")), Judgement::Due),
        ("empty", Some(changed(|it| it.data = None)), Judgement::Due),
        (
            "end",
            Some(changed(|it| {
                let end = (
                    "fermata.dev/not-after".to_owned(),
                    "2099-01-01T00:00:00Z".to_owned(),
                );
                it.metadata.annotations.as_mut().unwrap().extend([end]);
            })),
            Judgement::Due,
        ),
        (
            "no marks",
            Some(changed(|it| it.metadata.annotations = None)),
            Judgement::Due,
        ),
        (
            "someone else's",
            Some(changed(|it| {
                it.metadata.owner_references.as_mut().unwrap()[0].uid = "x".to_owned();
            })),
            Judgement::Taken,
        ),
        (
            "a user's",
            Some(changed(|it| {
                it.metadata.owner_references = None;
                it.metadata.labels = None;
            })),
            Judgement::Taken,
        ),
        (
            "left behind by another issuer",
            Some(changed(|it| {
                it.metadata.owner_references = None;
                it.metadata.annotations = None;
            })),
            Judgement::Due,
        ),
    ];
    for (case, secret, expected) in rows {
        assert_eq!(
            judge(&certificate(), secret.as_ref(), &root, now()),
            expected,
            "{case}"
        );
    }
    assert_eq!(
        judge(&certificate(), Some(&good()), &other, now()),
        Judgement::Due,
        "authority"
    );
    let mut more = certificate();
    more.spec.dns_names.push("c.example.com".to_owned());
    assert_eq!(
        judge(&more, Some(&good()), &root, now()),
        Judgement::Due,
        "names"
    );
    assert_eq!(
        judge(&certificate(), Some(&good()), &root, after(59)),
        Judgement::Holds(end)
    );
    assert_eq!(
        judge(&certificate(), Some(&good()), &root, after(60)),
        Judgement::Due,
        "time"
    );
}

#[test]
fn the_authority_is_replaced_long_before_its_end_and_trusted_to_its_end() {
    let (_, stored) = new_root(now());
    let years = i32::try_from(root::LIFETIME.as_secs() / 86_400).unwrap();
    assert!(matches!(
        root::find(Some(&stored), after(years - 181)),
        Found::Usable(_)
    ));
    let Found::Ending(previous) = root::find(Some(&stored), after(years - 180)) else {
        panic!("time for a new one");
    };
    let later = after(years - 180);
    let fresh = Authority::create(root::NAME, later, root::LIFETIME).unwrap();
    let mut stored = stored;
    stored.metadata.resource_version = Some("7".to_owned());
    let secret = root::secret("system", &fresh, Some(&previous), Some(&stored));
    assert_eq!(secret.metadata.resource_version.as_deref(), Some("7"));
    let Found::Usable(new) = root::find(Some(&secret), later) else {
        panic!("the new one holds");
    };
    // Who has the new bundle trusts both.
    let (old, _) = (Authority::load(root::NAME, previous).unwrap(), ());
    let names = certificate().spec.dns_names;
    for authority in [&old, &new.authority] {
        let certified = authority.issue(&names, later, issued::LIFETIME).unwrap();
        let secret = issued::secret(&certificate(), &new, &certified);
        assert!(is_trusted(&secret, "a.example.com", later));
    }
}

#[test]
fn nothing_outlives_its_authority() {
    let (root, _) = new_root(now());
    let years = i32::try_from(root::LIFETIME.as_secs() / 86_400).unwrap();
    let certified = issue(&root, after(years - 10));
    assert_eq!(certified.not_after, after(years));
}

#[test]
fn a_secret_in_the_authoritys_place_is_not_touched() {
    let (_, good) = new_root(now());
    let without = |change: fn(&mut Secret)| {
        let mut secret = good.clone();
        change(&mut secret);
        secret
    };
    for secret in [
        Secret::default(),
        without(|it| it.metadata.annotations = None),
        without(|it| it.data = None),
        without(|it| {
            let key = ("tls.key".to_owned(), ByteString(b"x".to_vec()));
            it.data.as_mut().unwrap().extend([key]);
        }),
    ] {
        assert!(matches!(root::find(Some(&secret), now()), Found::Foreign));
    }
    assert!(matches!(root::find(None, now()), Found::Missing));
}

#[test]
fn names_that_no_certificate_can_have_are_refused() {
    let (root, _) = new_root(now());
    let names = ["ünicode.example.com".to_owned()];
    assert!(
        root.authority
            .issue(&names, now(), issued::LIFETIME)
            .is_err()
    );
    let long = [format!("{}.example.com", "a".repeat(63))];
    assert!(root.authority.issue(&long, now(), issued::LIFETIME).is_ok());
}

#[test]
fn it_looks_again_when_it_is_time_to_renew() {
    let report = ready(after(90));
    assert_eq!(format!("{:?}", next(&report, now())), requeue(60 * 86_400));
    assert_eq!(format!("{:?}", next(&report, after(70))), requeue(0));
    let taken = Report::not_owned("Secret", "s");
    assert_eq!(format!("{:?}", next(&taken, now())), requeue(30));
}

fn requeue(seconds: u64) -> String {
    let action = kube::runtime::controller::Action::requeue(Duration::from_secs(seconds));
    format!("{action:?}")
}

#[test]
fn the_status_says_it_once() {
    let mut certificate = certificate();
    let report = ready(after(90));
    let status = report.status(&certificate, now());
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(status.not_after.as_ref().map(|it| it.0), Some(after(90)));
    assert_eq!(Truth::of(status.conditions.first()), Truth::True);
    certificate.status = Some(status.clone());
    assert_eq!(report.status(&certificate, after(1)), status);
    let taken = Report::not_owned("Secret", "s").status(&certificate, now());
    assert_eq!(
        Truth::of(taken.conditions.first()).to_string(),
        "False NotOwned: There is an existing Secret \"s\" that we do not own."
    );
}
