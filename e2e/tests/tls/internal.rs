//! The system's own connections: from the front door to the sidecars, all over TLS.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cluster::SYSTEM;
use e2e::load::{Load, Prober};
use e2e::namespace::Space;
use e2e::service::{READY, host};
use e2e::subject::Subject;
use e2e::system::System;
use e2e::wait::{Seen, until};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, LogParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::features::{BUILT_IN, alone, set};

const SERVING: &str = "serving-certs";
const RELOADED: &str = "Certificate and/or key have changed on disk and were reloaded.";
/// Kubelet brings a new Secret into a pod within about a minute; a change of the pod hurries it.
const RENEWED: Duration = Duration::from_secs(120);

async fn switch(space: &Space, to: &str) -> Result<()> {
    let changes = [("certificate-class", BUILT_IN), ("system-internal-tls", to)];
    set(space, &changes).await
}

/// One pod, of one request at a time: its slots are lent over TLS, too.
fn subject(space: &Space) -> Subject {
    Subject::new(space, "app")
        .env("RESOURCE", "here")
        .spec(json!({ "containerConcurrency": 1 }))
}

/// Waits until a container of the pods that `selector` picks has written `text`.
async fn written(space: &Space, selector: &str, container: &str, text: &str) -> Result<()> {
    let params = LogParams {
        container: Some(container.to_owned()),
        ..LogParams::default()
    };
    until(&format!("{container} says {text}"), RENEWED, async || {
        let mut last = String::new();
        for pod in space.pods(selector).await? {
            let log = space.api::<Pod>().logs(&pod.name_any(), &params).await?;
            if log.contains(text) {
                return Ok(Seen::Done(()));
            }
            last = log.lines().last().unwrap_or_default().to_owned();
        }
        Ok(Seen::NotYet(last))
    })
    .await
}

#[tokio::test]
async fn requests_reach_the_app_over_tls_cold_and_warm() -> Result<()> {
    alone("internal", async |space| {
        let system = System::of(&space.cluster);
        let changes = [
            ("logging.enable-request-log", "true"),
            ("logging.request-log-template", "TLS: {{.Request.TLS}}"),
        ];
        let body = async || {
            switch(space, "Enabled").await?;
            let service = space.start(subject(space)).await?;
            ensure!(space.text(&service, "/").await? == "here");
            written(space, "", "queue-proxy", "TLS: {").await?;
            written(&system.space, "app=activator", "activator", "TLS: {").await?;
            space.at_zero("app").await?;
            ensure!(space.text(&service, "/").await? == "here", "not from zero");
            let load = Load {
                path: "/?sleep=50&alone=1".to_owned(),
                ..Load::new(host(&service)?, 60, 6)
            };
            let outcome = load.run(space.cluster.gateway).await;
            println!("internal: {outcome}");
            outcome.all_good()
        };
        system
            .with_settings("config-observability", &changes, body)
            .await
    })
    .await
}

#[tokio::test]
async fn renewed_certificate_is_taken_and_a_pod_that_leaves_answers() -> Result<()> {
    const REQUESTS: u32 = 4;
    alone("renewed", async |space| {
        switch(space, "Enabled").await?;
        let subject = Subject::new(space, "app")
            .annotation("autoscaling.knative.dev/min-scale", "1")
            .annotation("autoscaling.knative.dev/window", "60s");
        let service = space.start(subject).await?;
        let before = certificate(space).await?;
        let secrets = space.api::<Secret>();
        secrets.delete(SERVING, &DeleteParams::default()).await?;
        until("another certificate", RENEWED, async || {
            Ok(match certificate(space).await {
                Ok(now) if now != before => Seen::Done(()),
                Ok(_) => Seen::NotYet("the old one".to_owned()),
                Err(error) => Seen::NotYet(format!("{error:#}")),
            })
        })
        .await?;
        let pods = space.pods_of("app").await?;
        let pod = pods.first().context("no pod")?.name_any();
        let hurry = json!({ "metadata": { "annotations": { "e2e": "renewed" } } });
        let params = PatchParams::default();
        let api = space.api::<Pod>();
        api.patch(&pod, &params, &Patch::Merge(hurry)).await?;
        let start = Instant::now();
        written(space, "", "queue-proxy", RELOADED).await?;
        println!("renewed: shown after {:?}", start.elapsed());

        let asks = (0..REQUESTS).map(async |number| {
            sleep(Duration::from_millis(700) * number).await;
            let answer = space.ask(&service, "/?sleep=4000").await?;
            ensure!(answer.status == 200, "request {number}: {answer:?}");
            anyhow::Ok(())
        });
        let delete = async {
            sleep(Duration::from_secs(2)).await;
            api.delete(&pod, &DeleteParams::default()).await?;
            anyhow::Ok(())
        };
        futures::try_join!(try_join_all(asks), delete)?;
        Ok(())
    })
    .await
}

async fn certificate(space: &Space) -> Result<Vec<u8>> {
    let secret = space.api::<Secret>().get(SERVING).await?;
    let mut data = secret.data.context("an empty Secret")?;
    Ok(data.remove("tls.crt").context("no certificate")?.0)
}

/// Nothing is restarted for it but the pods.
#[tokio::test]
async fn switching_it_on_and_off_costs_no_request() -> Result<()> {
    alone("switched", async |space| {
        let subject =
            Subject::new(space, "app").annotation("autoscaling.knative.dev/min-scale", "1");
        let service = space.start(subject).await?;
        let system = System::of(&space.cluster);
        let activators = system.pods("activator").await?;
        let period = Duration::from_millis(20);
        let prober = Prober::start(space.cluster.gateway, host(&service)?, period);
        for (to, encrypted) in [("Enabled", true), ("Disabled", false)] {
            switch(space, to).await?;
            only_pods(space, encrypted).await?;
        }
        let outcome = prober.stop().await?;
        println!("switched: {outcome}");
        outcome.all_good()?;
        ensure!(
            system.pods("activator").await? == activators,
            "other activators in {SYSTEM}"
        );
        Ok(())
    })
    .await
}

/// Waits until all pods are there again, and have a certificate, or none of them has.
async fn only_pods(space: &Space, encrypted: bool) -> Result<()> {
    let has_certificate = |pod: &Pod| {
        let mut volumes = pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten());
        volumes.any(|volume| volume.name == "server-certs")
    };
    until(
        &format!("pods, encrypted: {encrypted}"),
        READY,
        async || {
            let pods = space.pods_of("app").await?;
            let right = |pod: &&Pod| has_certificate(pod) == encrypted;
            let right = pods.iter().filter(right).count();
            if right == pods.len() && right > 0 {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{right} of {}", pods.len())))
        },
    )
    .await
}
