//! From one revision to the next without fewer pods than are wanted at any time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::namespace::{Space, in_namespace};
use e2e::service::READY;
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use super::{keep, reach};

const PODS: i32 = 3;
const SOON: Duration = Duration::from_secs(60);
/// Longer than a decision of the autoscaler takes.
const WHILE: Duration = Duration::from_secs(4);

/// The new pods are ready one by one, when the test says so.
#[tokio::test]
async fn the_old_pods_stay_until_the_last_new_one_is_ready() -> Result<()> {
    in_namespace("transition", async |space| {
        let subject = |text: &str| {
            let health = json!({ "path": "/healthz/ready", "port": 8080 });
            Subject::new(space, "app")
                .annotation("autoscaling.knative.dev/min-scale", &PODS.to_string())
                .container(json!({ "readinessProbe": { "httpGet": health, "periodSeconds": 1 } }))
                .env("RESOURCE", text)
        };
        space.start(subject("old")).await?;
        space
            .apply(&subject("new").env("UNREADY", "yes").build()?)
            .await?;
        let mut waiting = running(space, "app-00002").await?;
        while let Some(next) = waiting.pop() {
            keep(space, "app-00001", PODS..=PODS, WHILE).await?;
            recover(space, &next).await.context(next)?;
            let left = i32::try_from(waiting.len())?;
            reach(space, "app-00002", PODS - left..=PODS, SOON).await?;
        }
        let service = space.ready("app", READY).await?;
        let body = space.text(&service, "/").await?;
        ensure!(body == "new", "{body}");
        reach(space, "app-00001", 0..=0, SOON).await?;
        keep(space, "app-00002", PODS..=PODS, WHILE).await
    })
    .await
}

/// Waits until all pods of `revision` run; tells their names.
async fn running(space: &Space, revision: &str) -> Result<Vec<String>> {
    let selector = format!("serving.knative.dev/revision={revision}");
    until("all new pods run", SOON, async || {
        let pods = space.pods(&selector).await?;
        let running = pods.iter().filter(|pod| runs(pod));
        let names: Vec<_> = running.map(ResourceExt::name_any).collect();
        if names.len() == usize::try_from(PODS)? {
            return Ok(Seen::Done(names));
        }
        Ok(Seen::NotYet(format!("{names:?}")))
    })
    .await
}

fn runs(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter());
    let mut statuses = statuses.flatten();
    statuses.any(|status| status.name == "user-container" && status.started == Some(true))
}

/// Asks the app itself: no request of a client reaches a pod that is not ready.
async fn recover(space: &Space, pod: &str) -> Result<()> {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{pod}:8080/proxy/recover/ready",
        space.name
    );
    let request = Request::get(path).body(Vec::new())?;
    space.cluster.client.request_text(request).await?;
    Ok(())
}
