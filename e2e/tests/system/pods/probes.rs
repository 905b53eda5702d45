//! Health: how it is asked for, and what follows.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::service::host;
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ContainerStatus;
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::time::Instant;

/// An app takes so long until it listens.
const START: Duration = Duration::from_secs(4);
const RESTARTED: Duration = Duration::from_secs(60);
/// Readiness that is lost must be noticed within a minute.
const NOTICED: Duration = Duration::from_secs(60);
/// A request that nobody takes: long enough to be sure, short enough to ask often.
const HANGS: Duration = Duration::from_secs(5);

fn readiness() -> [(&'static str, Value); 6] {
    let exec = [
        "/ko-app/subject",
        "probe",
        "http://127.0.0.1:8080/healthz/ready",
    ];
    [
        ("http", json!({ "httpGet": { "path": "/healthz/ready" } })),
        (
            "query",
            json!({ "httpGet": { "path": "/healthz/ready?probe=ok", "port": 8080 } }),
        ),
        (
            "other",
            json!({ "httpGet": { "path": "/healthz/ready", "port": 8077 } }),
        ),
        ("tcp", json!({ "tcpSocket": { "port": 8080 } })),
        ("exec", json!({ "exec": { "command": exec } })),
        ("grpc", json!({ "grpc": { "port": 8080 } })),
    ]
}

#[tokio::test]
async fn a_service_is_ready_when_its_app_is_and_not_before() -> Result<()> {
    in_namespace("readiness", async |space| {
        let readiness = readiness();
        let cases = readiness
            .iter()
            .flat_map(|probe| [0, 1].map(|period| (probe, period)));
        try_join_all(cases.map(async |((name, probe), period)| {
            let name = format!("{name}-{period}");
            becomes_ready(space, &name, probe.clone(), period)
                .await
                .context(name)
        }))
        .await?;
        Ok(())
    })
    .await
}

async fn becomes_ready(space: &Space, name: &str, mut probe: Value, period: u32) -> Result<()> {
    probe["periodSeconds"] = json!(period);
    let subject = Subject::new(space, name)
        .env("START_DELAY", &START.as_millis().to_string())
        .env("HEALTH_PORT", "8077")
        .container(json!({ "readinessProbe": probe }));
    let start = Instant::now();
    let service = space.start(subject).await?;
    let took = start.elapsed();
    ensure!(took >= START, "ready after {took:?}");
    let body = space.text(&service, "/").await?;
    ensure!(body == "subject", "{body}");
    Ok(())
}

/// Kubelet asks before an app listens as well; only the startup probe makes that no failure.
#[tokio::test]
async fn liveness_is_not_asked_for_before_startup_has_succeeded() -> Result<()> {
    in_namespace("startup", async |space| {
        let health = json!({ "path": "/healthz/live", "port": 8080 });
        let subject = Subject::new(space, "app")
            .env("START_DELAY", "6000")
            .container(json!({
                "startupProbe": { "httpGet": health, "periodSeconds": 1, "failureThreshold": 60 },
                "livenessProbe": { "httpGet": health, "periodSeconds": 1, "failureThreshold": 1 },
            }));
        let service = space.start(subject).await?;
        space.text(&service, "/").await?;
        let restarts = user_container(space, &service).await?.restart_count;
        ensure!(restarts == 0, "{restarts} restarts");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_app_that_is_not_alive_is_started_again() -> Result<()> {
    in_namespace("liveness", async |space| {
        let health = json!({ "path": "/healthz/live", "port": 8080 });
        let subject = Subject::new(space, "app")
            .annotation("autoscaling.knative.dev/min-scale", "1")
            .container(json!({ "livenessProbe": { "httpGet": health, "periodSeconds": 1 } }));
        let service = space.start(subject).await?;
        let mut own = 0;
        until("kubelet has asked five times", RESTARTED, async || {
            let asked: usize = space.text(&service, "/healthz/live").await?.parse()?;
            own += 1;
            if asked >= own + 5 {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!(
                "{asked} questions, {own} of them ours"
            )))
        })
        .await?;
        let before = user_container(space, &service).await?;
        ensure!(before.restart_count == 0, "{before:?}");
        space.text(&service, "/fail/live").await?;
        until("the app is started again", RESTARTED, async || {
            let now = user_container(space, &service).await?;
            if now.restart_count > 0 && now.ready {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{now:?}")))
        })
        .await?;
        space.text(&service, "/").await?;
        let pods = space.pods_of("app").await?;
        ensure!(pods.len() == 1, "{} pods", pods.len());
        let leaving = pods[0].metadata.deletion_timestamp.is_some();
        ensure!(!leaving, "the pod leaves");
        Ok(())
    })
    .await
}

/// Requests wait for it, or are refused; none reaches it.
#[tokio::test]
async fn an_app_that_is_ready_no_more_gets_no_requests() -> Result<()> {
    in_namespace("unready", async |space| {
        let cases = [("zero", 0), ("one", 1)];
        try_join_all(cases.map(async |(name, period)| {
            let health = json!({ "path": "/healthz/ready", "port": 8080 });
            let probe = json!({ "httpGet": health, "periodSeconds": period });
            let subject = Subject::new(space, name)
                .annotation("autoscaling.knative.dev/min-scale", "1")
                .annotation("autoscaling.knative.dev/max-scale", "1")
                .container(json!({ "readinessProbe": probe }));
            let service = space.start(subject).await?;
            space.text(&service, "/").await?;
            space.text(&service, "/fail/ready").await?;
            withdrawn(space, &service).await.context(name)
        }))
        .await?;
        Ok(())
    })
    .await
}

async fn withdrawn(space: &Space, service: &Service) -> Result<()> {
    let host = host(service)?;
    until("requests don't reach the app", NOTICED, async || {
        Ok(
            match space.cluster.gateway.get_within(HANGS, host, "/").await {
                Err(_) => Seen::Done(()),
                Ok(answer) if answer.status == 503 => Seen::Done(()),
                Ok(answer) => {
                    ensure!(answer.status == 200, "{answer:?}");
                    Seen::NotYet(answer.body)
                }
            },
        )
    })
    .await
}

async fn user_container(space: &Space, service: &Service) -> Result<ContainerStatus> {
    let pods = space.pods_of(&service.name_any()).await?;
    let statuses = pods
        .into_iter()
        .filter_map(|pod| pod.status?.container_statuses);
    let found = statuses
        .flatten()
        .find(|status| status.name == "user-container");
    found.context("no container of the app")
}
