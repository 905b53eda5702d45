//! Requests between Services, and who may be asked from where.

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{READY, host, tag_host};
use e2e::subject::Subject;
use e2e::wait::{Seen, until};
use k8s_openapi::api::core::v1;
use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const VISIBILITY: &str = "networking.knative.dev/visibility";
const LOCAL: &str = "cluster-local";

#[tokio::test]
async fn a_service_asks_another_by_each_of_its_names() -> Result<()> {
    in_namespace("inside", async |space| {
        let caller = space.start(Subject::new(space, "caller")).await?;
        let hidden = Subject::new(space, "hidden")
            .env("RESOURCE", "found")
            .metadata(json!({ "labels": { VISIBILITY: LOCAL } }))
            .traffic(json!([{ "latestRevision": true, "percent": 100, "tag": "blue" }]));
        let hidden = space.start(hidden).await?;
        let status = hidden.status.clone().unwrap_or_default();
        let address = status.address.and_then(|address| address.url);
        ensure!(status.url == address, "{:?} is not {address:?}", status.url);
        for name in ["hidden", "blue-hidden"] {
            space.at_zero("hidden").await?;
            let names = names(space, name);
            for host in &names {
                let body = space
                    .text(&caller, &format!("/call?url=http://{host}"))
                    .await?;
                ensure!(body == "found", "{host}: {body}");
            }
            for host in &names {
                let answer = space.cluster.gateway.get(host, "/").await?;
                ensure!(answer.status == 404, "{host} from outside: {answer:?}");
            }
        }
        Ok(())
    })
    .await
}

/// The three names of a Service or tag inside the cluster.
fn names(space: &Space, name: &str) -> [String; 3] {
    let short = format!("{name}.{}", space.name);
    let middle = format!("{short}.svc");
    let long = format!("{middle}.cluster.local");
    [short, middle, long]
}

#[tokio::test]
async fn a_public_service_is_asked_from_inside_and_from_outside() -> Result<()> {
    in_namespace("public", async |space| {
        let caller = space.start(Subject::new(space, "caller")).await?;
        let open = space
            .start(Subject::new(space, "open").env("RESOURCE", "found"))
            .await?;
        for host in names(space, "open") {
            let body = space
                .text(&caller, &format!("/call?url=http://{host}"))
                .await?;
            ensure!(body == "found", "{host}: {body}");
        }
        ensure!(space.text(&open, "/").await? == "found");
        Ok(())
    })
    .await
}

/// As anybody outside does, who reaches the front door and names no host that it knows.
#[tokio::test]
async fn an_app_asks_an_address_outside() -> Result<()> {
    in_namespace("outside", async |space| {
        let caller = space.start(Subject::new(space, "caller")).await?;
        let gateway = space.cluster.gateway;
        let outside = gateway.address().to_string();
        let expected = gateway.get(&outside, "/").await?;
        let call = format!("/call?url=http://{outside}/");
        let answer = space.ask(&caller, &call).await?;
        let seen = (answer.status.as_u16(), &answer.body);
        ensure!(seen == (404, &expected.body), "{answer:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_label_hides_a_service_and_shows_it_again() -> Result<()> {
    in_namespace("visibility", async |space| {
        let open = space.start(Subject::new(space, "app")).await?;
        let (public, local) = (
            host(&open)?,
            format!("app.{}.svc.cluster.local", space.name),
        );
        let services = space.api::<Service>();
        for (label, url, outside) in [
            (json!(LOCAL), local.as_str(), 404),
            (Value::Null, public, 200),
        ] {
            set_visibility(&services, "app", &label).await?;
            until(&format!("the URL is {url}"), READY, async || {
                let service = space.ready("app", READY).await?;
                let host = host(&service)?;
                if host == url {
                    return Ok(Seen::Done(()));
                }
                Ok(Seen::NotYet(host.to_owned()))
            })
            .await?;
            let answer = space.cluster.gateway.get(public, "/").await?;
            ensure!(answer.status == outside, "labelled {label}: {answer:?}");
        }
        Ok(())
    })
    .await
}

/// Users label the core Service of a tag, and that label stays theirs.
#[tokio::test]
async fn a_tag_is_hidden_by_itself() -> Result<()> {
    in_namespace("subroute", async |space| {
        let traffic = json!([{ "latestRevision": true, "percent": 100, "tag": "blue" }]);
        let service = space
            .start(Subject::new(space, "app").traffic(traffic))
            .await?;
        let (whole, tag) = (host(&service)?, tag_host(&service, "blue")?);
        let cores = space.api::<v1::Service>();
        for (label, suffix, outside) in [
            (json!(LOCAL), ".svc.cluster.local", 404),
            (Value::Null, tag, 200),
        ] {
            set_visibility(&cores, "blue-app", &label).await?;
            until(
                &format!("the tag's host ends in {suffix}"),
                READY,
                async || {
                    let service = space.ready("app", READY).await?;
                    let host = tag_host(&service, "blue")?;
                    if host.ends_with(suffix) {
                        return Ok(Seen::Done(()));
                    }
                    Ok(Seen::NotYet(host.to_owned()))
                },
            )
            .await?;
            let of_tag = space.cluster.gateway.get(tag, "/").await?;
            ensure!(of_tag.status == outside, "tag labelled {label}: {of_tag:?}");
            let of_whole = space.cluster.gateway.get(whole, "/").await?;
            ensure!(of_whole.status == 200, "tag labelled {label}: {of_whole:?}");
        }
        Ok(())
    })
    .await
}

async fn set_visibility<K>(api: &Api<K>, name: &str, label: &Value) -> Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let patch = Patch::Merge(json!({ "metadata": { "labels": { VISIBILITY: label } } }));
    let patched = api.patch(name, &PatchParams::default(), &patch).await;
    patched.with_context(|| format!("{name} can't be labelled"))?;
    Ok(())
}
