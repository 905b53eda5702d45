//! From one revision to the next without fewer pods than are wanted at any time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use crate::namespace::Space;
use crate::service::READY;
use crate::subject::Subject;
use crate::wait::{Seen, until};

const SOON: Duration = Duration::from_secs(60);

/// A revision of `pods` pods takes over from one of as many. Its pods are made ready one by one, with `pause`
/// between them; all of the old ones stay until the last of the new ones is ready.
pub async fn one_by_one(space: &Space, pods: i32, pause: Duration) -> Result<()> {
    let subject = |text: &str| {
        let health = json!({ "path": "/healthz/ready", "port": 8080 });
        Subject::new(space, "app")
            .annotation("autoscaling.knative.dev/min-scale", &pods.to_string())
            .container(json!({ "readinessProbe": { "httpGet": health, "periodSeconds": 1 } }))
            .env("RESOURCE", text)
    };
    space.start(subject("old")).await?;
    space
        .apply(&subject("new").env("UNREADY", "yes").build()?)
        .await?;
    let mut waiting = running(space, "app-00002", pods).await?;
    while let Some(next) = waiting.pop() {
        space.keep("app-00001", pods..=pods, pause).await?;
        recover(space, &next).await.context(next)?;
        let left = i32::try_from(waiting.len())?;
        space.reach("app-00002", pods - left..=pods, SOON).await?;
    }
    let service = space.ready("app", READY).await?;
    let body = space.text(&service, "/").await?;
    ensure!(body == "new", "{body}");
    space.reach("app-00001", 0..=0, SOON).await?;
    space.keep("app-00002", pods..=pods, pause).await
}

/// Waits until all pods of `revision` run; tells their names.
async fn running(space: &Space, revision: &str, pods: i32) -> Result<Vec<String>> {
    let selector = format!("serving.knative.dev/revision={revision}");
    let wanted = usize::try_from(pods)?;
    until("all new pods run", SOON, async || {
        let pods = space.pods(&selector).await?;
        let running = pods.iter().filter(|pod| runs(pod));
        let names: Vec<_> = running.map(ResourceExt::name_any).collect();
        if names.len() == wanted {
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
