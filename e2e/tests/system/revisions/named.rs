//! Revisions that their author names, and Services that the API server does.

use anyhow::{Context, Result, ensure};
use crds::configuration::Configuration;
use crds::revision::Revision;
use crds::route::Route;
use e2e::namespace::{Space, in_namespace};
use e2e::service::READY;
use e2e::subject::Subject;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use serde_json::json;

/// The older revision is used again: its name says what is wanted.
#[tokio::test]
async fn a_manifest_of_an_older_name_brings_its_revision_back() -> Result<()> {
    in_namespace("rollback", async |space| {
        let version = |text: &str| {
            let name = json!({ "name": format!("app-{text}") });
            Subject::new(space, "app")
                .env("RESOURCE", text)
                .revision(name)
        };
        for text in ["one", "two", "one", "two"] {
            let service = space.start(version(text)).await?;
            let status = service.status.clone().context("no status")?;
            let name = Some(format!("app-{text}"));
            ensure!(status.latest_ready_revision_name == name, "{status:?}");
            ensure!(status.latest_created_revision_name == name, "{status:?}");
            let body = space.text(&service, "/").await?;
            ensure!(body == text, "Ready, and {body:?} instead of {text:?}");
        }
        let revisions = space.api::<Revision>().list(&ListParams::default()).await?;
        ensure!(
            revisions.items.len() == 2,
            "{} revisions",
            revisions.items.len()
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_api_server_may_choose_the_name() -> Result<()> {
    in_namespace("generated", async |space| {
        let mut service = Subject::new(space, "any")
            .env("RESOURCE", "served")
            .build()?;
        service.metadata.name = None;
        service.metadata.generate_name = Some("a-service-".to_owned());
        let name = create(space, &service).await?;
        let service = space.ready(&name, READY).await?;
        ensure!(space.text(&service, "/").await? == "served");

        let mut configuration: Configuration = serde_json::from_value(json!({
            "metadata": { "generateName": "a-configuration-" },
            "spec": { "template": { "spec": { "containers": [
                { "image": space.cluster.subject_image() },
            ] } } },
        }))?;
        configuration.spec.template = service.spec.template.clone();
        let configuration = create(space, &configuration).await?;
        let route: Route = serde_json::from_value(json!({
            "metadata": { "generateName": "a-route-" },
            "spec": { "traffic": [{ "configurationName": configuration, "percent": 100 }] },
        }))?;
        let route = create(space, &route).await?;
        let ready = space.verdict::<Route>(&route, "Ready", READY).await?;
        ensure!(ready.is_true(), "{ready}");
        let route = space.api::<Route>().get(&route).await?;
        let url = route
            .status
            .and_then(|status| status.url)
            .context("no URL")?;
        let answer = space
            .cluster
            .gateway
            .get(e2e::client::host_of(&url)?, "/")
            .await?;
        ensure!(answer.body == "served", "{answer:?}");
        let revisions = space.api::<Revision>().list(&ListParams::default()).await?;
        let expected = [&name, &configuration].map(|parent| format!("{parent}-00001"));
        for name in expected {
            ensure!(
                revisions.iter().any(|it| it.name_any() == name),
                "no Revision {name}"
            );
        }
        Ok(())
    })
    .await
}

/// Makes it; tells the name.
async fn create<K>(space: &Space, object: &K) -> Result<String>
where
    K: e2e::verdict::Judged,
{
    let made = space
        .api::<K>()
        .create(&PostParams::default(), object)
        .await?;
    Ok(made.name_any())
}
