//! What can't be done is said at once, in upstream's words, and hurts nobody else.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::condition;
use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;
use e2e::kubectl;
use e2e::namespace::{Space, in_namespace};
use e2e::service::Wanted;
use kube::api::ListParams;

#[tokio::test]
async fn an_unknown_host_is_404() -> Result<()> {
    in_namespace("unknown", async |space| {
        let answer = space
            .cluster
            .gateway
            .get("nobody.nowhere.example.com", "/")
            .await?;
        ensure!(answer.status == 404, "{}: {}", answer.status, answer.body);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn apply_refuses_what_can_not_work() -> Result<()> {
    in_namespace("refused", async |space| {
        let image = space.cluster.hello_image();
        let template =
            |image: &str| format!("template: {{spec: {{containers: [{{image: {image}}}]}}}}");
        let cases = [
            (
                "template: {spec: {}}".to_owned(),
                "missing field(s): spec.template.spec.containers",
            ),
            (
                template("'no spaces please'"),
                "Failed to parse image reference: spec.template.spec.containers[0].image",
            ),
            (
                template(&format!("'{image}', ports: [{{containerPort: 8012}}]")),
                "invalid value: 8012 is a reserved port: spec.template.spec.containers[0].ports.containerPort",
            ),
            (
                format!(
                    "{}, traffic: [{{latestRevision: true, percent: 90}}]",
                    template(&image)
                ),
                "Traffic targets sum to 90, want 100: spec.traffic",
            ),
        ];
        for (spec, text) in cases {
            let said = kubectl::apply(&space.name, &manifest(&spec)).await?;
            ensure!(!said.ok, "{spec} was accepted: {}", said.stdout);
            let text = format!("validation failed: {text}");
            ensure!(
                said.stderr.contains(&text),
                "{spec}: not {text:?} but {}",
                said.stderr
            );
        }
        nothing_was_created(space).await
    })
    .await
}

fn manifest(spec: &str) -> String {
    let head = "apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: bad}";
    format!("{{{head}, spec: {{{spec}}}}}")
}

async fn nothing_was_created(space: &Space) -> Result<()> {
    let all = ListParams::default();
    let services = space
        .api::<Service>()
        .list_metadata(&all)
        .await?
        .items
        .len();
    let configurations = space
        .api::<Configuration>()
        .list_metadata(&all)
        .await?
        .items
        .len();
    let routes = space.api::<Route>().list_metadata(&all).await?.items.len();
    ensure!(
        services + configurations + routes == 0,
        "something was created"
    );
    Ok(())
}

/// The registry doesn't have the image: known when it is asked for the digest, before any pod.
#[tokio::test]
async fn an_image_that_does_not_exist_is_named_in_the_condition() -> Result<()> {
    in_namespace("missing", async |space| {
        let image = format!("{}/samples/no-such-image:1", space.cluster.registry);
        space
            .apply(&Wanted::new("missing", image.clone()).build())
            .await?;
        let said = space.failed("missing", Duration::from_secs(60)).await?;
        let text = format!("Unable to fetch image \"{image}\": failed to resolve image to digest");
        ensure!(said.contains("RevisionFailed"), "{said}");
        ensure!(said.contains(&text), "{said}");
        Ok(())
    })
    .await
}

/// An image by digest is not looked up: kubelet finds out that it isn't there.
#[tokio::test]
async fn an_image_that_can_not_be_pulled_is_named_in_the_condition() -> Result<()> {
    in_namespace("unpulled", async |space| {
        let broken = Wanted::new("broken", absent_digest(space))
            .annotation(serving::PROGRESS_DEADLINE, "20s");
        space.apply(&broken.build()).await?;
        let said = space.failed("broken", Duration::from_secs(90)).await?;
        ensure!(
            said.contains("RevisionFailed") && said.contains("pull"),
            "{said}"
        );
        let revision = space.api::<Revision>().get("broken-00001").await?;
        let status = revision.status.unwrap_or_default();
        let available = condition::find(&status.conditions, "ResourcesAvailable");
        let reason = available
            .map(|condition| condition.reason.as_str())
            .unwrap_or_default();
        ensure!(
            ["ImagePullBackOff", "ErrImagePull"].contains(&reason),
            "reason {reason:?}"
        );
        Ok(())
    })
    .await
}

/// With an initial scale of zero the Service is Ready before anybody has tried to pull.
#[tokio::test]
async fn a_request_that_waits_for_an_image_in_vain_ends_with_a_reason() -> Result<()> {
    const LIMIT: u64 = 8;
    in_namespace("vain", async |space| {
        let neighbour = space
            .deploy(Wanted::answering(space, "neighbour", "well"))
            .await?;
        let broken = Wanted::new("broken", absent_digest(space))
            .timeout(LIMIT.cast_signed())
            .annotation("autoscaling.knative.dev/initial-scale", "0");
        let broken = space.deploy(broken).await?;

        let answer = space.ask(&broken, "/").await?;
        let (status, body) = (answer.status.as_u16(), answer.body.trim());
        println!("vain: {status} after {:?}: {body}", answer.took);
        ensure!([503, 504].contains(&status), "{status}: {body}");
        ensure!(!body.is_empty(), "{status} without a reason");
        ensure!(
            answer.took <= Duration::from_secs(LIMIT + 1),
            "{status} after {:?}",
            answer.took
        );

        let answer = space.ask(&neighbour, "/").await?;
        ensure!(
            answer.status == 200,
            "the neighbour answers {}: {}",
            answer.status,
            answer.body
        );
        Ok(())
    })
    .await
}

fn absent_digest(space: &Space) -> String {
    format!(
        "{}/samples/hello@sha256:{}",
        space.cluster.registry,
        "0".repeat(64)
    )
}
