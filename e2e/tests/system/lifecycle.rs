//! From `apply` to `delete`: which objects there are, and what they say.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::autoscaling::PodAutoscaler;
use crds::condition;
use crds::configuration::Configuration;
use crds::name::serving;
use crds::networking::{Ingress, ServerlessService};
use crds::revision::Revision;
use crds::route::{Route, TrafficTarget};
use crds::service::Service;
use e2e::load::Prober;
use e2e::namespace::{Space, in_namespace};
use e2e::service::{READY, Wanted, host, verdicts};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1;
use kube::ResourceExt;
use kube::api::DeleteParams;

const GONE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_service_makes_its_objects_and_takes_them_along() -> Result<()> {
    in_namespace("objects", async |space| {
        let wanted = Wanted::answering(space, "app", "one");
        let service = space.deploy(wanted).await?;
        check_status(&service, "app-00001")?;
        check_children(space).await?;
        check_deployment(space, "app-00001").await?;
        check_deletion(space).await
    })
    .await
}

#[tokio::test]
async fn a_new_template_takes_over_without_losing_a_request() -> Result<()> {
    in_namespace("update", async |space| {
        let service = space.deploy(Wanted::answering(space, "app", "one")).await?;
        let host = host(&service)?;
        let prober = Prober::start(space.cluster.gateway, host, Duration::from_millis(50));
        let service = space.deploy(Wanted::answering(space, "app", "two")).await?;
        let answer = space.ask(&service, "/").await?;
        prober.stop().await?.all_good()?;
        check_status(&service, "app-00002")?;
        ensure!(
            answer.body.trim_end() == "two",
            "Ready, and still {:?}",
            answer.body
        );
        space
            .api::<Revision>()
            .get("app-00001")
            .await
            .context("the old revision is gone")?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_failed_template_leaves_the_last_good_one_serving() -> Result<()> {
    in_namespace("keep", async |space| {
        let good = space
            .deploy(Wanted::answering(space, "app", "good"))
            .await?;
        let missing = format!("{}/samples/no-such-image:1", space.cluster.registry);
        space.apply(&Wanted::new("app", missing).build()).await?;
        space.failed("app", READY).await?;
        let answer = space.ask(&good, "/").await?;
        ensure!(
            answer.body.trim_end() == "good",
            "answered {}: {}",
            answer.status,
            answer.body
        );
        Ok(())
    })
    .await
}

fn check_status(service: &Service, revision: &str) -> Result<()> {
    let status = service.status.clone().context("no status")?;
    let said = verdicts(&status);
    let names: Vec<_> = status
        .conditions
        .iter()
        .map(|c| (c.type_.as_str(), &*c.status))
        .collect();
    let all_true = [
        ("ConfigurationsReady", "True"),
        ("Ready", "True"),
        ("RoutesReady", "True"),
    ];
    ensure!(names == all_true, "conditions of the Service: {said}");
    ensure!(
        status.latest_ready_revision_name.as_deref() == Some(revision),
        "latest ready"
    );
    ensure!(
        status.latest_created_revision_name.as_deref() == Some(revision),
        "latest created"
    );
    let namespace = service.namespace().context("no namespace")?;
    let url = format!("http://{}.{namespace}.", service.name_any());
    ensure!(
        status.url.is_some_and(|found| found.starts_with(&url)),
        "the URL is not {url}..."
    );
    let local = format!("{url}svc.cluster.local");
    let address = status.address.and_then(|address| address.url);
    ensure!(
        address.as_ref() == Some(&local),
        "the address is {address:?}, not {local}"
    );
    let all = TrafficTarget {
        revision_name: Some(revision.to_owned()),
        latest_revision: Some(true),
        percent: Some(100),
        ..TrafficTarget::default()
    };
    ensure!(status.traffic == [all], "traffic is {:?}", status.traffic);
    Ok(())
}

async fn check_children(space: &Space) -> Result<()> {
    let configuration = space.api::<Configuration>().get("app").await?;
    ensure!(
        owner_of(&configuration) == Some("Service/app".to_owned()),
        "Configuration's owner"
    );
    let route = space.api::<Route>().get("app").await?;
    ensure!(
        owner_of(&route) == Some("Service/app".to_owned()),
        "Route's owner"
    );

    let revision = space.api::<Revision>().get("app-00001").await?;
    ensure!(
        owner_of(&revision) == Some("Configuration/app".to_owned()),
        "Revision's owner"
    );
    let label = |key: &str| revision.labels().get(key).map(String::as_str);
    ensure!(
        label(serving::SERVICE) == Some("app"),
        "Revision's label of the Service"
    );
    ensure!(
        label(serving::CONFIGURATION_GENERATION) == Some("1"),
        "Revision's generation"
    );

    let autoscaler = space.api::<PodAutoscaler>().get("app-00001").await?;
    let target = autoscaler.spec.scale_target_ref.name.as_deref();
    ensure!(
        target == Some("app-00001-deployment"),
        "PodAutoscaler scales {target:?}"
    );

    let sks = space.api::<ServerlessService>().get("app-00001").await?;
    let status = sks
        .status
        .clone()
        .context("no status of the ServerlessService")?;
    ensure!(
        condition::is_ready(
            &status.conditions,
            status.observed_generation,
            sks.metadata.generation
        ),
        "ServerlessService not Ready"
    );
    let ingress = space.api::<Ingress>().get("app").await?;
    ensure!(
        owner_of(&ingress) == Some("Route/app".to_owned()),
        "Ingress's owner"
    );
    for name in ["app", "app-00001", "app-00001-private"] {
        space
            .api::<v1::Service>()
            .get(name)
            .await
            .with_context(|| format!("core Service {name}"))?;
    }
    Ok(())
}

/// `Kind/name` of the controller.
fn owner_of(object: &impl ResourceExt) -> Option<String> {
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))?;
    Some(format!("{}/{}", owner.kind, owner.name))
}

async fn check_deployment(space: &Space, revision: &str) -> Result<()> {
    let name = format!("{revision}-deployment");
    let deployment = space.api::<Deployment>().get(&name).await?;
    let pod = deployment
        .spec
        .and_then(|spec| spec.template.spec)
        .context("no pod template")?;
    let names: Vec<_> = pod
        .containers
        .iter()
        .map(|container| container.name.as_str())
        .collect();
    ensure!(
        names == ["user-container", "queue-proxy"],
        "containers are {names:?}"
    );
    let user = &pod.containers[0];
    let image = user.image.as_deref().unwrap_or_default();
    ensure!(
        image.contains("@sha256:"),
        "the image is not resolved to a digest: {image}"
    );
    let variables: Vec<_> = user
        .env
        .iter()
        .flatten()
        .map(|var| var.name.as_str())
        .collect();
    let expected = [
        "RESOURCE",
        "PORT",
        "K_REVISION",
        "K_CONFIGURATION",
        "K_SERVICE",
    ];
    ensure!(
        variables == expected,
        "the app's environment is {variables:?}"
    );
    Ok(())
}

async fn check_deletion(space: &Space) -> Result<()> {
    space
        .api::<Service>()
        .delete("app", &DeleteParams::default())
        .await?;
    space.gone::<Service>("", GONE).await?;
    space.gone::<Configuration>("", GONE).await?;
    space.gone::<Revision>("", GONE).await?;
    space.gone::<Route>("", GONE).await?;
    space.gone::<PodAutoscaler>("", GONE).await?;
    space.gone::<ServerlessService>("", GONE).await?;
    space.gone::<Ingress>("", GONE).await?;
    space.gone::<Deployment>("", GONE).await?;
    space.gone::<v1::Service>("", GONE).await?;
    space.gone::<v1::Pod>("", GONE).await
}
