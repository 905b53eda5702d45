//! The issuer that comes with Fermata, and the features that order certificates.

use anyhow::{Context, Result, ensure};
use crds::certificate::Certificate;
use crds::name::networking;
use crds::service::Service;
use e2e::namespace::Space;
use e2e::service::Wanted;
use e2e::wait::{Seen, until};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::features::{BUILT_IN, SOON, alone, certificate, name_of, secrets, set, until_seen};

const READY: &str = "True | Ready True";

#[tokio::test]
async fn hosts_outside_answer_over_tls_by_a_certificate_of_our_own() -> Result<()> {
    alone("outside", async |space| {
        let app = Wanted::answering(space, "app", "secure");
        space.deploy(app).await?;
        let host = format!("app.{}.example.com", space.name);
        let inside = format!("http://app.{}.svc.cluster.local", space.name);
        let off = "True TLSNotEnabled: external-domain-tls is not enabled | Ready True";
        until_seen(space, "app", &format!("http://{host} | {inside} | {off}")).await?;

        set(
            space,
            &[
                ("external-domain-tls", "Enabled"),
                ("certificate-class", BUILT_IN),
            ],
        )
        .await?;
        until_seen(
            space,
            "app",
            &format!("https://{host} | {inside} | {READY}"),
        )
        .await?;
        let name = name_of(space, "app").await?;
        let ordered = certificate(space, &name, "True").await?;
        ensure!(
            ordered.spec.dns_names == [host.clone()],
            "{:?}",
            ordered.spec
        );
        ensure!(
            ordered.status.is_some_and(|it| it.not_after.is_some()),
            "no end is told"
        );
        let tls = secrets(space, "app").await?;
        ensure!(
            tls == [(host.clone(), name.clone())],
            "the gateway got {tls:?}"
        );
        answers_over_tls(space, &host, &name).await?;

        let before = uid_of_secret(space, &name).await?;
        space
            .api::<Secret>()
            .delete(&name, &DeleteParams::default())
            .await?;
        until("the Secret is made again", SOON, async || {
            Ok(match uid_of_secret(space, &name).await? {
                same if same == before => Seen::NotYet(same),
                _ => Seen::Done(()),
            })
        })
        .await?;
        answers_over_tls(space, &host, &name).await?;

        turn_off_by_annotation(space).await?;
        until_seen(space, "app", &format!("http://{host} | {inside} | {off}")).await?;
        ensure!(
            secrets(space, "app").await?.is_empty(),
            "the gateway still has a certificate"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn hosts_inside_have_certificates_when_that_is_asked_for() -> Result<()> {
    alone("inside", async |space| {
        space
            .deploy(Wanted::answering(space, "app", "here"))
            .await?;
        set(
            space,
            &[
                ("cluster-local-domain-tls", "Enabled"),
                ("certificate-class", BUILT_IN),
            ],
        )
        .await?;
        let host = format!("app.{}", space.name);
        let wanted =
            format!("http://{host}.example.com | https://{host}.svc.cluster.local | {READY}");
        until_seen(space, "app", &wanted).await?;
        let name = name_of(space, "app").await? + "-local";
        let names = certificate(space, &name, "True").await?.spec.dns_names;
        let expected = ["", ".svc", ".svc.cluster.local"].map(|end| format!("{host}{end}"));
        ensure!(names == expected, "{names:?}");
        ensure!(secrets(space, "app").await? == [(host, name)]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_certificate_of_the_namespace_is_enough_for_all_its_hosts() -> Result<()> {
    alone("wildcard", async |space| {
        let selector = format!(
            "matchLabels: {{kubernetes.io/metadata.name: {}}}",
            space.name
        );
        set(
            space,
            &[
                ("external-domain-tls", "Enabled"),
                ("certificate-class", BUILT_IN),
                ("namespace-wildcard-cert-selector", &selector),
            ],
        )
        .await?;
        let domain = format!("{}.example.com", space.name);
        let wildcard = certificate(space, &domain, "True").await?;
        ensure!(
            wildcard.spec.dns_names == [format!("*.{domain}")],
            "{:?}",
            wildcard.spec
        );
        ensure!(wildcard.labels()[networking::WILDCARD_DOMAIN] == "example.com");
        space
            .deploy(Wanted::answering(space, "app", "secure"))
            .await?;
        let host = format!("app.{domain}");
        let wanted = format!(
            "https://{host} | http://app.{}.svc.cluster.local | {READY}",
            space.name
        );
        until_seen(space, "app", &wanted).await?;
        ensure!(secrets(space, "app").await? == [(host.clone(), domain.clone())]);
        let all = space
            .api::<Certificate>()
            .list(&ListParams::default())
            .await?;
        ensure!(all.items.len() == 1, "the Route has ordered one of its own");
        answers_over_tls(space, &host, &domain).await?;

        set(space, &[("namespace-wildcard-cert-selector", "")]).await?;
        let name = name_of(space, "app").await?;
        until("the Route's own certificate", SOON, async || {
            let tls = secrets(space, "app").await?;
            if tls == [(host.clone(), name.clone())] {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{tls:?}")))
        })
        .await?;
        space
            .gone::<Certificate>(networking::WILDCARD_DOMAIN, SOON)
            .await
    })
    .await
}

async fn turn_off_by_annotation(space: &Space) -> Result<()> {
    let key = networking::DISABLE_EXTERNAL_DOMAIN_TLS[0];
    let change = json!({ "metadata": { "annotations": { key: "true" } } });
    let (params, patch) = (PatchParams::default(), Patch::Merge(&change));
    space.api::<Service>().patch("app", &params, &patch).await?;
    Ok(())
}

async fn uid_of_secret(space: &Space, name: &str) -> Result<String> {
    let secret = space.api::<Secret>().get(name).await?;
    secret.uid().context("a Secret without uid")
}

/// A client that trusts what stands in the Secret, and nothing else, is answered 200.
async fn answers_over_tls(space: &Space, host: &str, secret: &str) -> Result<()> {
    until(&format!("{host} answers over TLS"), SOON, async || {
        let status = status_over_tls(space, host, secret).await?;
        if status == 200 {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(status.to_string()))
    })
    .await
}

async fn status_over_tls(space: &Space, host: &str, secret: &str) -> Result<u16> {
    let secret = space.api::<Secret>().get(secret).await?;
    let data = secret.data.unwrap_or_default();
    let bundle = data.get("ca.crt").context("no bundle in the Secret")?;
    let gateway = space.cluster.gateway;
    let answer = gateway.get_over_tls(host, "/", &bundle.0).await?;
    Ok(answer.status.as_u16())
}
