//! The whole process on an API server in memory: certificates from the order to the gateway, through
//! changes of the settings.

use crds::certificate::Certificate;
use crds::condition::{READY, Truth, find};
use crds::networking::Ingress;
use crds::route::Route;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::super::built_in::ROOT_SECRET;
use super::super::class::BUILT_IN;
use crate::testing::properties::{NAMESPACE, image, service};
use crate::testing::stand_ins::healthy_cluster;
use crate::testing::{Cluster, Fault, Operator};

const SYSTEM: &str = "knative-serving";

/// A cluster where we issue certificates for hosts outside.
fn cluster() -> Cluster {
    let cluster = healthy_cluster();
    cluster.configure("config-domain", "example.com", "");
    cluster.configure("config-network", "external-domain-tls", "Enabled");
    cluster.configure("config-network", "certificate-class", BUILT_IN);
    cluster.put(service("hello", &image("hello")));
    cluster
}

fn url(cluster: &Cluster) -> String {
    let route: Route = cluster.get(NAMESPACE, "hello").unwrap();
    route.status.and_then(|it| it.url).unwrap_or_default()
}

fn certified(cluster: &Cluster) -> String {
    let route: Route = cluster.get(NAMESPACE, "hello").unwrap();
    let conditions = route.status.unwrap_or_default().conditions;
    Truth::of(find(&conditions, "CertificateProvisioned")).to_string()
}

/// The Route's own Certificate, and what it says.
fn certificate(cluster: &Cluster) -> (String, String) {
    let all: Vec<Certificate> = cluster.list();
    let [certificate] = all.as_slice() else {
        panic!("{} certificates", all.len());
    };
    let conditions = certificate.status.clone().unwrap_or_default().conditions;
    (
        certificate.name_any(),
        Truth::of(find(&conditions, READY)).to_string(),
    )
}

/// The Secrets that the gateway is told of.
fn told(cluster: &Cluster) -> Vec<String> {
    let ingress: Ingress = cluster.get(NAMESPACE, "hello").unwrap();
    ingress
        .spec
        .tls
        .into_iter()
        .map(|it| it.secret_name)
        .collect()
}

fn secret(cluster: &Cluster) -> Option<Secret> {
    cluster.get(NAMESPACE, &certificate(cluster).0)
}

fn is_secure(cluster: &Cluster) -> bool {
    let (name, said) = certificate(cluster);
    let is_issued = secret(cluster).is_some_and(|it| it.data.is_some_and(|it| it.len() == 3));
    url(cluster) == "https://hello.stories.example.com"
        && certified(cluster) == "True"
        && said == "True"
        && told(cluster) == [name]
        && is_issued
}

#[tokio::test(start_paused = true)]
async fn a_host_is_secure_without_anybodys_help_and_stays_so() {
    let cluster = cluster();
    let mut operator = Operator::start(&cluster).await;
    operator.settled().await;
    assert!(
        is_secure(&cluster),
        "{} {}",
        url(&cluster),
        certified(&cluster)
    );
    assert!(cluster.get::<Secret>(SYSTEM, ROOT_SECRET).is_some());
    let events = operator.events();
    let issued = events.iter().filter(|it| it.contains(" Issued: ")).count();
    assert_eq!(issued, 1, "{events:#?}");

    let name = certificate(&cluster).0;
    cluster.delete::<Secret>(NAMESPACE, &name);
    operator.settled().await;
    assert!(is_secure(&cluster), "after the Secret was deleted");
    cluster.edit::<Secret>(NAMESPACE, &name, |it| it["data"]["tls.crt"] = "eA==".into());
    operator.settled().await;
    let shown = secret(&cluster).unwrap().data.unwrap()["tls.crt"].0.clone();
    assert!(
        shown.starts_with(b"-----BEGIN CERTIFICATE"),
        "after it was changed"
    );

    let before = secret(&cluster);
    cluster.delete::<Secret>(SYSTEM, ROOT_SECRET);
    operator.settled().await;
    assert!(is_secure(&cluster), "after the authority was lost");
    assert_ne!(
        secret(&cluster),
        before,
        "what nobody vouches for is replaced"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_process_writes_nothing() {
    let cluster = cluster();
    let first = Operator::start(&cluster).await;
    first.settled().await;
    first.stop().await;
    let before = cluster.writes();
    let second = Operator::start(&cluster).await;
    second.settled().await;
    assert_eq!(cluster.writes(), before);
}

/// Keys are made by dice: what is there at the end is as good each time, but never the same.
#[tokio::test(start_paused = true)]
async fn any_write_about_certificates_may_fail() {
    let undisturbed = cluster();
    let operator = Operator::start(&undisturbed).await;
    operator.settled().await;
    let writes = undisturbed.writes();
    let about = |resource: &str| resource.starts_with("certificates") || resource == "secrets";
    let concerned: Vec<usize> = (0..writes.len())
        .filter(|nth| about(&writes[*nth].resource))
        .collect();
    assert!(concerned.len() >= 4, "{writes:#?}");
    for nth in concerned {
        for fault in [Fault::Broken, Fault::Lost, Fault::Conflict] {
            let cluster = cluster();
            cluster.fail(nth, fault);
            let operator = Operator::start(&cluster).await;
            operator.settled().await;
            assert!(is_secure(&cluster), "{fault:?} at {:?}", writes[nth]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn settings_take_effect_at_once() {
    let cluster = cluster();
    let operator = Operator::start(&cluster).await;
    let set = async |key: &str, value: &str| {
        cluster.configure("config-network", key, value);
        operator.settled().await;
    };
    operator.settled().await;

    set("external-domain-tls", "Disabled").await;
    assert_eq!(url(&cluster), "http://hello.stories.example.com");
    assert_eq!(
        certified(&cluster),
        "True TLSNotEnabled: external-domain-tls is not enabled"
    );
    assert_eq!(told(&cluster), Vec::<String>::new());

    set("external-domain-tls", "Enabled").await;
    assert!(is_secure(&cluster), "the certificate was kept");

    set(
        "certificate-class",
        "cert-manager.certificate.networking.knative.dev",
    )
    .await;
    let (name, said) = certificate(&cluster);
    assert!(
        said.starts_with("False CertManagerNotInstalled: "),
        "{said}"
    );
    assert_eq!(
        certified(&cluster),
        format!("True HTTPDowngrade: Certificate {name} is not ready downgrade HTTP.")
    );
    assert_eq!(url(&cluster), "http://hello.stories.example.com");
    assert_eq!(secret(&cluster), None, "it went with its Certificate");

    set("http-protocol", "Redirected").await;
    assert_eq!(
        certified(&cluster),
        format!(
            "False CertificateProvisionFailed: Certificate {name} fails to be provisioned: CertManagerNotInstalled"
        )
    );

    set("certificate-class", BUILT_IN).await;
    assert!(is_secure(&cluster), "back again");
}

fn order(class: &str) -> Value {
    json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
        "metadata": {
            "name": "c", "namespace": NAMESPACE,
            "annotations": { "networking.knative.dev/certificate.class": class },
        },
        "spec": { "dnsNames": ["a.example.com"], "secretName": "s" },
    })
}

#[tokio::test(start_paused = true)]
async fn secrets_of_others_are_left_alone() {
    let left_behind = json!({ "networking.internal.knative.dev/certificate-uid": "gone" });
    for (class, labels, said, taken) in [
        (
            BUILT_IN,
            json!({}),
            "False NotOwned: There is an existing Secret \"s\" that we do not own.",
            false,
        ),
        (BUILT_IN, left_behind, "True", true),
        ("someone.else", json!({}), "Unknown", false),
    ] {
        let cluster = healthy_cluster();
        cluster.put(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "s", "namespace": NAMESPACE, "labels": labels },
            "data": { "mine": "bWluZQ==" },
        }));
        cluster.put(order(class));
        let operator = Operator::start(&cluster).await;
        operator.settled().await;
        assert_eq!(certificate(&cluster).1, said);
        let secret: Secret = cluster.get(NAMESPACE, "s").unwrap();
        assert_eq!(
            secret.data.unwrap().contains_key("tls.crt"),
            taken,
            "{said}"
        );
    }
}
