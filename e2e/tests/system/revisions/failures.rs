//! Revisions that can't run, and what is said of them.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::condition::Truth;
use crds::configuration::Configuration;
use crds::revision::Revision;
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use k8s_openapi::api::core::v1::ResourceQuota;
use serde_json::json;

const TOLD: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_app_that_exits_is_quoted() -> Result<()> {
    in_namespace("exits", async |space| {
        let subject = Subject::new(space, "app").env("EXIT_CODE", "5");
        space
            .apply(&subject.env("MESSAGE", "no database today").build()?)
            .await?;
        let healthy = space
            .verdict::<Revision>("app-00001", "ContainerHealthy", TOLD)
            .await?;
        let Truth::False(reason, message) = healthy else {
            anyhow::bail!("it is healthy");
        };
        ensure!(reason == "ExitCode5", "{reason}: {message}");
        ensure!(message.starts_with("Container failed with: "), "{message}");
        ensure!(message.contains("no database today"), "{message}");
        for condition in ["Ready", "ConfigurationsReady"] {
            fails(space, condition, "RevisionFailed", "no database today").await?;
        }
        let routes = space.verdict::<Service>("app", "RoutesReady", TOLD).await?;
        ensure!(routes.is_false(), "{routes}");
        let configuration = space.verdict::<Configuration>("app", "Ready", TOLD).await?;
        ensure!(
            configuration.to_string().contains("no database today"),
            "{configuration}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_that_no_node_can_hold_is_unschedulable() -> Result<()> {
    in_namespace("unschedulable", async |space| {
        let resources = json!({ "requests": { "cpu": "500" } });
        let subject = Subject::new(space, "app").container(json!({ "resources": resources }));
        space.apply(&subject.build()?).await?;
        let said = space
            .verdict::<Revision>("app-00001", "ResourcesAvailable", TOLD)
            .await?;
        let Truth::False(reason, message) = said else {
            anyhow::bail!("it is available");
        };
        ensure!(reason == "Unschedulable", "{reason}: {message}");
        fails(
            space,
            "ConfigurationsReady",
            "RevisionFailed",
            "Insufficient cpu",
        )
        .await
    })
    .await
}

#[tokio::test]
async fn a_quota_that_is_too_small_is_quoted() -> Result<()> {
    in_namespace("quota", async |space| {
        let quota: ResourceQuota = serde_json::from_value(json!({
            "metadata": { "name": "small" }, "spec": { "hard": { "requests.cpu": "50m" } },
        }))?;
        space.apply(&quota).await?;
        let resources = json!({ "requests": { "cpu": "200m" } });
        let subject = Subject::new(space, "app")
            .annotation("serving.knative.dev/progress-deadline", "5s")
            .container(json!({ "resources": resources }));
        space.apply(&subject.build()?).await?;
        let said = space
            .verdict::<Revision>("app-00001", "Ready", TOLD)
            .await?;
        ensure!(said.is_false(), "{said}");
        ensure!(
            said.to_string().contains("forbidden: exceeded quota"),
            "{said}"
        );
        fails(
            space,
            "ConfigurationsReady",
            "RevisionFailed",
            "forbidden: exceeded quota",
        )
        .await
    })
    .await
}

async fn fails(space: &Space, condition: &str, reason: &str, text: &str) -> Result<()> {
    let said = space.verdict::<Service>("app", condition, TOLD).await?;
    match &said {
        Truth::False(found, message) if found == reason && message.contains(text) => Ok(()),
        _ => anyhow::bail!("{condition}: {said}, not {reason}: ...{text}"),
    }
}

/// The kernel ends an app that takes more; kubelet starts it again.
#[tokio::test]
async fn an_app_gets_the_memory_it_asked_for_and_no_more() -> Result<()> {
    in_namespace("memory", async |space| {
        let resources = json!({ "limits": { "memory": "80Mi" }, "requests": { "memory": "80Mi" } });
        let subject = Subject::new(space, "app")
            .annotation("autoscaling.knative.dev/max-scale", "1")
            .container(json!({ "resources": resources }));
        let service = space.start(subject).await?;
        for bloat in [10, 40] {
            space.text(&service, &format!("/?bloat={bloat}")).await?;
        }
        let answer = space.ask(&service, "/?bloat=200").await?;
        ensure!(answer.status.is_server_error(), "{answer:?}");
        until("the app is back", TOLD, async || {
            let answer = space.ask(&service, "/").await?;
            if answer.status == 200 {
                return Ok(Seen::Done(()));
            }
            Ok(Seen::NotYet(format!("{answer:?}")))
        })
        .await
    })
    .await
}
