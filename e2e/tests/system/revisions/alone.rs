//! Configurations and Routes that no Service makes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::configuration::Configuration;
use crds::revision::Revision;
use crds::route::Route;
use e2e::client::host_of;
use e2e::load::Prober;
use e2e::namespace::{Space, in_namespace};
use e2e::service::READY;
use e2e::subject::Subject;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

const GENERATION: &str = "serving.knative.dev/configurationGeneration";

fn configuration(space: &Space, text: &str) -> Result<Configuration> {
    let subject = Subject::new(space, "app")
        .env("RESOURCE", text)
        .annotation("autoscaling.knative.dev/min-scale", "2");
    Ok(serde_json::from_value(json!({
        "metadata": { "name": "app" },
        "spec": { "template": subject.build()?.spec.template },
    }))?)
}

#[tokio::test]
async fn a_route_follows_its_configuration_until_it_goes() -> Result<()> {
    in_namespace("alone", async |space| {
        space.apply(&configuration(space, "one")?).await?;
        let route: Route = serde_json::from_value(json!({
            "metadata": { "name": "app" },
            "spec": { "traffic": [{ "configurationName": "app", "percent": 100 }] },
        }))?;
        space.apply(&route).await?;
        let ready = space.verdict::<Route>("app", "Ready", READY).await?;
        ensure!(ready.is_true(), "{ready}");
        let url = space
            .api::<Route>()
            .get("app")
            .await?
            .status
            .and_then(|status| status.url);
        let url = url.context("no URL")?;
        let host = host_of(&url)?;
        let answer = space.cluster.gateway.get(host, "/").await?;
        ensure!(answer.body == "one", "{answer:?}");

        let prober = Prober::start(space.cluster.gateway, host, Duration::from_millis(20));
        space.apply(&configuration(space, "two")?).await?;
        space
            .shows(
                "app",
                "the second revision serves",
                READY,
                |route: &Route| {
                    let traffic = route.status.iter().flat_map(|status| &status.traffic);
                    let names: Vec<_> = traffic
                        .filter_map(|it| it.revision_name.as_deref())
                        .collect();
                    names == ["app-00002"]
                },
            )
            .await?;
        let answer = space.cluster.gateway.get(host, "/").await?;
        ensure!(answer.body == "two", "{answer:?}");
        prober.stop().await?.all_good()?;
        for (name, generation) in [("app-00001", "1"), ("app-00002", "2")] {
            let revision = space.api::<Revision>().get(name).await?;
            let label = revision.labels().get(GENERATION).map(String::as_str);
            ensure!(label == Some(generation), "{name}: {label:?}");
        }
        // Nobody can reach it any more, so its least number of pods means nothing.
        space
            .gone::<Pod>("serving.knative.dev/revision=app-00001", READY)
            .await?;
        space
            .api::<Route>()
            .delete("app", &DeleteParams::default())
            .await?;
        space.gone::<Pod>("", READY).await?;
        let answer = space.cluster.gateway.get(host, "/").await?;
        ensure!(answer.status == 404, "{answer:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn metadata_of_a_configuration_is_its_authors() -> Result<()> {
    in_namespace("authors", async |space| {
        space.apply(&configuration(space, "one")?).await?;
        let ready = space
            .verdict::<Configuration>("app", "Ready", READY)
            .await?;
        ensure!(ready.is_true(), "{ready}");
        let api = space.api::<Configuration>();
        let before = api.get("app").await?;
        let mut labels = before.labels().clone();
        let mut annotations = before.annotations().clone();
        labels.insert("label-x".to_owned(), "abc".to_owned());
        annotations.insert("annotation-a".to_owned(), "123".to_owned());
        let both = json!({ "labels": labels, "annotations": annotations });
        let patch = Patch::Merge(json!({ "metadata": both }));
        let after = api.patch("app", &PatchParams::default(), &patch).await?;
        ensure!(after.labels() == &labels, "{:?}", after.labels());
        ensure!(
            after.annotations() == &annotations,
            "{:?}",
            after.annotations()
        );
        ensure!(
            after.metadata.generation == before.metadata.generation,
            "a new generation"
        );
        // A second template makes its mark after all that the first change can have made.
        space.apply(&configuration(space, "two")?).await?;
        let ready = space
            .verdict::<Configuration>("app", "Ready", READY)
            .await?;
        ensure!(ready.is_true(), "{ready}");
        let revisions = space.api::<Revision>().list(&ListParams::default()).await?;
        ensure!(
            revisions.items.len() == 2,
            "{} revisions",
            revisions.items.len()
        );
        for revision in revisions {
            ensure!(
                !revision.labels().contains_key("label-x"),
                "{:?}",
                revision.labels()
            );
            ensure!(
                !revision.annotations().contains_key("annotation-a"),
                "an annotation"
            );
        }
        let now = api.get("app").await?;
        ensure!(
            now.labels() == &labels && now.annotations() == &annotations,
            "{now:?}"
        );
        Ok(())
    })
    .await
}
