//! What cert-manager is told, and what we make of its answers.

use crds::certificate::Certificate;
use crds::condition::{Truth, find};
use crds::config::{CertManagerConfig, IssuerRef};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use serde::Deserialize;
use serde_json::{Value, json};

use super::acme::{challenge, has_http_solver};
use super::kind::CertManagerCertificate;
use super::not_installed;
use super::order::order;
use super::verdict::Verdict;
use crate::certificate::standing::is_renewing;
use crate::golden::{check, document};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn certificate(kind: Option<&str>, host: &str, domain: Option<&str>) -> Certificate {
    let labels = kind.map(|kind| json!({ "networking.knative.dev/certificate-type": kind }));
    serde_json::from_value(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
        "metadata": { "name": "c", "namespace": "ns", "uid": "u", "generation": 1, "labels": labels },
        "spec": { "dnsNames": [host], "domain": domain, "secretName": "s" },
    }))
    .unwrap()
}

/// An order and the settings of who signs.
#[derive(Deserialize)]
struct Case {
    certificate: Certificate,
    #[serde(default)]
    config: std::collections::BTreeMap<String, String>,
}

#[test]
fn orders_are_as_in_the_golden_files() {
    check("certificate/cert_manager/tests/golden", |case: Case| {
        let config = CertManagerConfig::parse(&case.config).unwrap();
        let order = order(&case.certificate, &config).unwrap();
        vec![document(&order)]
    });
}

#[test]
fn each_purpose_has_its_issuer() {
    let issuer = |name: &str| IssuerRef {
        kind: "Issuer".to_owned(),
        name: name.to_owned(),
        group: String::new(),
    };
    let config = CertManagerConfig {
        issuer_ref: issuer("outside"),
        cluster_local_issuer_ref: issuer("inside"),
        system_internal_issuer_ref: issuer("system"),
    };
    for (kind, expected) in [
        (None, "outside"),
        (Some("external-domain"), "outside"),
        (Some("cluster-local-domain"), "inside"),
        (Some("system-internal"), "system"),
    ] {
        let order = order(&certificate(kind, "a.b", None), &config).unwrap();
        assert_eq!(order.spec.issuer_ref.name, expected);
        assert_eq!(order.spec.issuer_ref.kind, "Issuer");
    }
    let refused = order(&certificate(Some("mine"), "a.b", None), &config).unwrap_err();
    assert_eq!(
        refused.report().ready.to_string(),
        "False certificate type invalid: error creating cert-manager certificate: certificate type mine is invalid"
    );
}

#[test]
fn a_host_that_is_too_long_for_a_common_name_gets_help() {
    let long = |domain: &str| format!("{}.{domain}", "h".repeat(63 - domain.len()));
    let config = CertManagerConfig::default();
    let fits = order(
        &certificate(None, &long("example.com")[1..], Some("example.com")),
        &config,
    );
    assert_eq!(fits.unwrap().spec.dns_names.len(), 1);
    let helped = order(
        &certificate(None, &long("example.com"), Some("example.com")),
        &config,
    );
    let helped = helped.unwrap().spec;
    assert_eq!(helped.common_name, "k.example.com");
    assert_eq!(
        helped.dns_names,
        ["k.example.com".to_owned(), long("example.com")]
    );

    let wide = "d".repeat(62);
    let host = format!("h.{wide}");
    for (certificate, expected) in [
        (
            certificate(None, &host, None),
            "too long and field spec.Domain on Kcert is empty, cannot attempt to shorten",
        ),
        (
            certificate(None, &host, Some(&host)),
            "longer than 63 characters",
        ),
        (
            certificate(None, &host, Some(&wide)),
            "(length: 62) too long, prepending short prefix of (k.)(length: 2) will be longer than 64 bytes",
        ),
    ] {
        let said = order(&certificate, &config)
            .unwrap_err()
            .report()
            .ready
            .to_string();
        assert!(said.starts_with("False CommonName Too Long: "), "{said}");
        assert!(said.ends_with(expected), "{said}");
    }
}

fn answer(status: &Value) -> CertManagerCertificate {
    serde_json::from_value(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": "c", "namespace": "ns" },
        "spec": { "commonName": "", "dnsNames": [], "secretName": "s", "issuerRef": { "kind": "", "name": "" } },
        "status": status,
    }))
    .unwrap()
}

#[test]
fn its_words_are_ours() {
    let ready = |status: &str, reason: &str| {
        json!({ "conditions": [
            { "type": "Issuing", "status": "True", "reason": "x", "message": "y" },
            { "type": "Ready", "status": status, "reason": reason, "message": "m" },
        ] })
    };
    let silent = "Unknown NoCertManagerCertCondition: The ready condition of Cert Manager Certificate does not exist.";
    let rows = [
        (json!(null), silent),
        (json!({}), silent),
        (ready("Unknown", "R"), "Unknown R: m"),
        (ready("False", "InProgress"), "Unknown InProgress: m"),
        (ready("False", "Pending"), "Unknown Pending: m"),
        (
            ready("False", "TemporaryCertificate"),
            "Unknown TemporaryCertificate: m",
        ),
        (ready("False", "DoesNotExist"), "False DoesNotExist: m"),
        (ready("True", "Ready"), "True"),
    ];
    for (status, expected) in rows {
        let verdict = Verdict::of(&answer(&status), now());
        assert_eq!(
            verdict.report(Vec::new()).ready.to_string(),
            expected,
            "{status}"
        );
        assert_eq!(verdict.is_settled(), expected == "True", "{status}");
    }
}

#[test]
fn a_renewal_is_told_until_it_is_over() {
    let issued = |renewal: &str| {
        answer(&json!({
            "conditions": [{ "type": "Ready", "status": "True" }],
            "notAfter": "2027-01-01T00:00:00Z", "renewalTime": renewal,
        }))
    };
    let mut ours = certificate(None, "a.b", None);
    for (renewal, expected) in [
        ("2026-12-01T00:00:00Z", false),
        ("2026-11-20T00:00:00Z", true),
        ("2026-12-01T00:00:00Z", false),
    ] {
        let verdict = Verdict::of(&issued(renewal), now());
        let status = verdict.report(Vec::new()).status(&ours, now());
        assert_eq!(Truth::of(find(&status.conditions, "Ready")), Truth::True);
        assert_eq!(
            status.not_after.clone().unwrap().0.to_string(),
            "2027-01-01T00:00:00Z"
        );
        ours.status = Some(status);
        assert_eq!(is_renewing(&ours), expected, "{renewal}");
    }
}

#[test]
fn who_is_missing_is_said() {
    assert_eq!(
        not_installed().ready.to_string(),
        "False CertManagerNotInstalled: cert-manager is not installed: install it, or set certificate-class in the ConfigMap config-network to \"fermata.certificate.networking.knative.dev\""
    );
}

#[test]
fn a_question_goes_to_the_service_that_answers_it() {
    let solver: Service = serde_json::from_value(json!({
        "metadata": { "name": "solver", "namespace": "ns" },
        "spec": { "ports": [{ "port": 80, "targetPort": 8089 }] },
    }))
    .unwrap();
    let question = json!({ "spec": { "dnsName": "a.b", "token": "t" } });
    let found = serde_json::to_value(challenge(&solver, &question)).unwrap();
    assert_eq!(
        found,
        json!({
            "url": "http://a.b/.well-known/acme-challenge/t",
            "serviceName": "solver", "serviceNamespace": "ns", "servicePort": 8089,
        })
    );
    assert_eq!(challenge(&Service::default(), &question), None);
    assert_eq!(challenge(&solver, &json!({})), None);
}

#[test]
fn only_the_first_solver_says_how_an_issuer_asks() {
    for (spec, expected) in [
        (json!({}), false),
        (json!({ "selfSigned": {} }), false),
        (json!({ "acme": { "solvers": [] } }), false),
        (
            json!({ "acme": { "solvers": [{ "dns01": {} }, { "http01": {} }] } }),
            false,
        ),
        (json!({ "acme": { "solvers": [{ "http01": {} }] } }), true),
    ] {
        assert_eq!(
            has_http_solver(&json!({ "spec": spec })),
            expected,
            "{spec}"
        );
    }
}
