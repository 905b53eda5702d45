//! What children take over from their Service, and what belongs to whom.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::configuration::Configuration;
use crds::route::Route;
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::subject::Subject;
use e2e::verdict::Judged;
use k8s_openapi::api::core::v1;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const KEY: &str = "juicy";

#[tokio::test]
async fn metadata_of_a_service_reaches_its_children() -> Result<()> {
    in_namespace("metadata", async |space| {
        let service = space.start(Subject::new(space, "app")).await?;
        set(space, &json!("jamba")).await?;
        carries::<Configuration>(space, true).await?;
        carries::<Route>(space, true).await?;
        let core = carries::<v1::Service>(space, true).await?;
        for label in ["serving.knative.dev/service", "serving.knative.dev/route"] {
            ensure!(
                core.labels().get(label).map(String::as_str) == Some("app"),
                "{label}"
            );
        }
        for annotation in [
            "serving.knative.dev/creator",
            "serving.knative.dev/lastModifier",
        ] {
            ensure!(core.annotations().contains_key(annotation), "{annotation}");
        }
        set(space, &Value::Null).await?;
        carries::<Configuration>(space, false).await?;
        carries::<Route>(space, false).await?;
        // Users put their own on core Services: there nothing is taken away.
        carries::<v1::Service>(space, true).await?;

        let after = space.api::<Service>().get("app").await?;
        ensure!(
            after.metadata.generation == service.metadata.generation,
            "a new generation"
        );
        let latest = after
            .status
            .and_then(|status| status.latest_created_revision_name);
        ensure!(latest.as_deref() == Some("app-00001"), "{latest:?}");
        Ok(())
    })
    .await
}

async fn set(space: &Space, value: &Value) -> Result<()> {
    let both = json!({ "labels": { KEY: value }, "annotations": { KEY: value } });
    let patch = Patch::Merge(json!({ "metadata": both }));
    space
        .api::<Service>()
        .patch("app", &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// Waits until the child of kind `K` has label and annotation, or neither.
async fn carries<K: Judged>(space: &Space, wanted: bool) -> Result<K> {
    let what = if wanted { "both" } else { "neither" };
    let child = space.shows("app", what, SOON, |child: &K| {
        let has = [child.labels(), child.annotations()].map(|all| all.contains_key(KEY));
        has == [wanted, wanted]
    });
    child.await
}

/// Neither another namespace with the same names nor somebody's Service with our label matters.
#[tokio::test]
async fn namespaces_do_not_get_in_each_others_way() -> Result<()> {
    in_namespace("first", async |first| {
        in_namespace("second", async |second| {
            let foreign: v1::Service = serde_json::from_value(json!({
                "metadata": {
                    "name": "app-of-others",
                    "labels": {
                        "serving.knative.dev/route": "app",
                        "serving.knative.dev/routeNamespace": first.name,
                    },
                },
                "spec": { "type": "ExternalName", "externalName": "nowhere.example.com" },
            }))?;
            second.apply(&foreign).await?;
            for (space, text) in [(first, "one"), (second, "two")] {
                let service = space
                    .start(Subject::new(space, "app").env("RESOURCE", text))
                    .await?;
                let body = space.text(&service, "/").await?;
                ensure!(body == text, "{body}");
            }
            let service = first.api::<Service>().get("app").await?;
            ensure!(first.text(&service, "/").await? == "one");
            second
                .api::<v1::Service>()
                .get("app-of-others")
                .await
                .context("it is gone")?;
            Ok(())
        })
        .await
    })
    .await
}
