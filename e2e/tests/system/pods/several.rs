//! Pods of several containers.

use anyhow::{Context, Result, ensure};
use crds::revision::Revision;
use e2e::namespace::in_namespace;
use e2e::subject::Subject;
use serde_json::json;

/// The one with the port gets the requests, and asks the next one, and so on.
#[tokio::test]
async fn containers_of_a_pod_reach_each_other() -> Result<()> {
    in_namespace("several", async |space| {
        let next =
            |port: u16| json!({ "name": "NEXT", "value": format!("http://127.0.0.1:{port}/") });
        let listen = |port: u16| json!({ "name": "LISTEN", "value": port.to_string() });
        let subject = Subject::new(space, "app")
            .container(json!({
                "name": "first", "ports": [{ "containerPort": 8881 }], "env": [next(8882)],
            }))
            .sidecar(json!({ "name": "second", "env": [listen(8882), next(8883)] }))
            .sidecar(json!({
                "env": [listen(8883), { "name": "RESOURCE", "value": "from the last one" }],
            }));
        let service = space.start(subject).await?;
        let body = space.text(&service, "/").await?;
        ensure!(body == "from the last one", "{body}");
        space.at_zero("app").await?;
        let body = space.text(&service, "/").await?;
        ensure!(body == "from the last one", "from zero: {body}");

        let revision = space.api::<Revision>().get("app-00001").await?;
        let containers = revision.status.context("no status")?.container_statuses;
        let names: Vec<_> = containers
            .iter()
            .map(|status| status.name.as_str())
            .collect();
        ensure!(
            names == ["first", "second", "user-container-0"],
            "{names:?}"
        );
        for status in &containers {
            ensure!(status.image_digest.contains("@sha256:"), "{status:?}");
        }
        Ok(())
    })
    .await
}
