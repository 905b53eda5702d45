//! Domains of one's own. The cluster must have `autocreate-cluster-domain-claims: "true"`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::cluster_domain_claim::ClusterDomainClaim;
use crds::condition::{self, Truth, find};
use crds::domain_mapping::{DomainMapping, DomainMappingSpec, KReference, SecretTls};
use crds::networking::Ingress;
use e2e::kubectl::kubectl;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{READY, Wanted};
use e2e::wait::{Seen, until};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};

const CLAIMED: &str = "DomainClaimed";
const RESOLVED: &str = "ReferenceResolved";
const CERTIFICATE: &str = "CertificateProvisioned";
const GONE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_domain_answers_for_the_service_that_it_is_mapped_to() -> Result<()> {
    in_namespace("mapped", async |space| {
        let domain = domain(space);
        let app = space
            .deploy(Wanted::answering(space, "app", "here"))
            .await?;
        map(space, &domain, service("app")).await?;
        let mapping = ready(space, &domain).await?;
        let status = mapping.status.context("no status")?;
        ensure!(
            status.url.as_deref() == Some(&format!("http://{domain}")),
            "url {:?}",
            status.url
        );
        answers(space, &domain, "here").await?;
        let table = kubectl(&["get", "dm", "-n", &space.name], "")
            .await?
            .good()?;
        let heading = table.lines().next().context("no table")?;
        let words: Vec<_> = heading.split_whitespace().collect();
        ensure!(words == ["NAME", "URL", "READY", "REASON"], "{heading}");
        space.at_zero("app").await?;
        answers(space, &domain, "here").await?;
        // Its own host still answers as well.
        let answer = space.ask(&app, "/").await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_domain_is_the_first_ones_until_it_goes() -> Result<()> {
    in_namespace("first", async |first| {
        in_namespace("second", async |second| {
            let domain = domain(first);
            let (one, two) = tokio::join!(
                first.deploy(Wanted::answering(first, "app", "first")),
                second.deploy(Wanted::answering(second, "app", "second")),
            );
            one?;
            two?;
            map(first, &domain, service("app")).await?;
            ready(first, &domain).await?;
            map(second, &domain, service("app")).await?;
            let taken = "False DomainAlreadyClaimed: \
                         The domain name is already in use by another DomainMapping";
            says(second, &domain, CLAIMED, taken).await?;
            says(second, &domain, condition::READY, taken).await?;
            answers(first, &domain, "first").await?;
            delete(first, &domain).await?;
            ready(second, &domain).await?;
            answers(second, &domain, "second").await
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_service_that_appears_later_is_mapped_then() -> Result<()> {
    in_namespace("later", async |space| {
        let domain = domain(space);
        map(space, &domain, service("app")).await?;
        let missing = format!(
            "False ResolveFailed: failed to get object {}/app: \
             services.serving.knative.dev \"app\" not found",
            space.name
        );
        says(space, &domain, RESOLVED, &missing).await?;
        space
            .deploy(Wanted::answering(space, "app", "late"))
            .await?;
        ready(space, &domain).await?;
        answers(space, &domain, "late").await
    })
    .await
}

/// The name of a Route is a core Service, too; and so is that of a revision, which is more than a
/// name.
#[tokio::test]
async fn a_core_service_can_be_mapped() -> Result<()> {
    in_namespace("core", async |space| {
        space
            .deploy(Wanted::answering(space, "app", "core"))
            .await?;
        for name in ["app", "app-00001"] {
            let domain = format!("{name}.{}", domain(space));
            let reference = KReference {
                api_version: Some("v1".to_owned()),
                ..service(name)
            };
            map(space, &domain, reference).await?;
            ready(space, &domain).await?;
            answers(space, &domain, "core").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_domain_with_a_certificate_is_ready_when_the_certificate_is_there() -> Result<()> {
    in_namespace("brought", async |space| {
        let domain = domain(space);
        space
            .deploy(Wanted::answering(space, "app", "safe"))
            .await?;
        let mut mapping = mapping(space, &domain, service("app"));
        mapping.spec.tls = Some(SecretTls {
            secret_name: "brought".to_owned(),
        });
        space.apply(&mapping).await?;
        let brought = "True CertificateExternallyProvided: TLS certificate was provided externally";
        says(space, &domain, CERTIFICATE, brought).await?;
        let status = space.api::<DomainMapping>().get(&domain).await?.status;
        let url = status.context("no status")?.url;
        ensure!(url == Some(format!("https://{domain}")), "url {url:?}");
        space.apply(&certificate(&domain)?).await?;
        ready(space, &domain).await?;
        answers(space, &domain, "safe").await
    })
    .await
}

#[tokio::test]
async fn the_end_of_a_mapping_is_the_end_of_its_ingress_and_claim() -> Result<()> {
    in_namespace("unmapped", async |space| {
        let domain = domain(space);
        space
            .deploy(Wanted::answering(space, "app", "here"))
            .await?;
        map(space, &domain, service("app")).await?;
        ready(space, &domain).await?;
        let claims: Api<ClusterDomainClaim> = Api::all(space.cluster.client.clone());
        let claim = claims.get(&domain).await?;
        ensure!(claim.spec.namespace == space.name, "{:?}", claim.spec);
        delete(space, &domain).await?;
        ensure!(
            claims.get_opt(&domain).await?.is_none(),
            "the claim is left"
        );
        let ingresses = space.api::<Ingress>().list(&ListParams::default()).await?;
        let names: Vec<_> = ingresses.iter().map(ResourceExt::name_any).collect();
        ensure!(names == ["app"], "Ingresses: {names:?}");
        until("404", GONE, async || {
            let answer = space.cluster.gateway.get(&domain, "/").await?;
            Ok(match answer.status.as_u16() {
                404 => Seen::Done(()),
                other => Seen::NotYet(other.to_string()),
            })
        })
        .await
    })
    .await
}

/// A domain that no other test has.
fn domain(space: &Space) -> String {
    format!("{}.example.org", space.name)
}

fn service(name: &str) -> KReference {
    KReference {
        api_version: Some("serving.knative.dev/v1".to_owned()),
        kind: "Service".to_owned(),
        name: name.to_owned(),
        ..KReference::default()
    }
}

fn mapping(space: &Space, domain: &str, reference: KReference) -> DomainMapping {
    // Server-side apply owns what it names: the webhook fills in the same.
    let namespace = Some(space.name.clone());
    let reference = KReference {
        namespace,
        ..reference
    };
    let spec = DomainMappingSpec {
        reference,
        tls: None,
    };
    DomainMapping::new(domain, spec)
}

async fn map(space: &Space, domain: &str, reference: KReference) -> Result<()> {
    space.apply(&mapping(space, domain, reference)).await?;
    Ok(())
}

async fn ready(space: &Space, domain: &str) -> Result<DomainMapping> {
    until(
        &format!("DomainMapping {domain} Ready"),
        READY,
        async || {
            let mapping = space.api::<DomainMapping>().get(domain).await?;
            let status = mapping.status.clone().unwrap_or_default();
            let generation = mapping.metadata.generation;
            if condition::is_ready(&status.conditions, status.observed_generation, generation) {
                return Ok(Seen::Done(mapping));
            }
            let said = status.conditions.iter();
            let said = said.map(|it| format!("{} {}", it.type_, Truth::of(Some(it))));
            Ok(Seen::NotYet(said.collect::<Vec<_>>().join("; ")))
        },
    )
    .await
}

/// Waits until a condition says `expected`.
async fn says(space: &Space, domain: &str, name: &str, expected: &str) -> Result<()> {
    until(&format!("{name} {expected:?}"), READY, async || {
        let mapping = space.api::<DomainMapping>().get(domain).await?;
        let status = mapping.status.context("no status")?;
        let said = Truth::of(find(&status.conditions, name)).to_string();
        Ok(if said == expected {
            Seen::Done(())
        } else {
            Seen::NotYet(said)
        })
    })
    .await
}

/// One request, which must not fail: Ready means that it won't.
async fn answers(space: &Space, domain: &str, text: &str) -> Result<()> {
    let answer = space.cluster.gateway.get(domain, "/").await?;
    let (status, body) = (answer.status, answer.body.trim_end());
    ensure!(status == 200 && body == text, "{domain}: {status} {body:?}");
    Ok(())
}

/// Deletes the mapping and waits until it is gone.
async fn delete(space: &Space, domain: &str) -> Result<()> {
    let api = space.api::<DomainMapping>();
    api.delete(domain, &DeleteParams::default()).await?;
    until(&format!("{domain} gone"), GONE, async || {
        Ok(match api.get_opt(domain).await? {
            None => Seen::Done(()),
            Some(_) => Seen::NotYet("it is there".to_owned()),
        })
    })
    .await
}

/// A Secret with a certificate of its own making.
fn certificate(domain: &str) -> Result<Secret> {
    let made = rcgen::generate_simple_self_signed([domain.to_owned()])?;
    let data = [
        ("tls.crt", made.cert.pem()),
        ("tls.key", made.signing_key.serialize_pem()),
    ];
    let data = data.map(|(key, pem)| (key.to_owned(), ByteString(pem.into_bytes())));
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some("brought".to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(data.into()),
        ..Secret::default()
    })
}
