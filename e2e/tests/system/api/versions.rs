//! Manifests of the first years still work, and nothing is stored as they are written.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use e2e::cluster::Cluster;
use e2e::kubectl::{self, kubectl};
use e2e::namespace::{Space, in_namespace};
use e2e::service::READY;
use e2e::wait::{Seen, until};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::ListParams;

const KINDS: [&str; 4] = ["Service", "Configuration", "Route", "Revision"];

/// One object of each kind.
fn manifests(image: &str) -> [String; 4] {
    let template = format!("spec: {{containers: [{{image: '{image}'}}]}}");
    let object = |kind: &str, name: &str, spec: &str| {
        format!(
            "{{apiVersion: serving.knative.dev/v1alpha1, kind: {kind}, \
             metadata: {{name: {name}}}, {spec}}}"
        )
    };
    let of_template = format!("spec: {{template: {{{template}}}}}");
    [
        object(KINDS[0], "app", &of_template),
        object(KINDS[1], "alone", &of_template),
        object(
            KINDS[2],
            "road",
            "spec: {traffic: [{configurationName: alone, percent: 100}]}",
        ),
        object(KINDS[3], "single", &template),
    ]
}

#[tokio::test]
async fn a_manifest_of_v1alpha1_is_warned_of_and_serves() -> Result<()> {
    in_namespace("v1alpha1", async |space| {
        let manifests = manifests(&space.cluster.hello_image());
        let said = kubectl::apply(&space.name, &manifests.join("\n---\n")).await?;
        for kind in KINDS {
            let warning = format!(
                "Warning: serving.knative.dev/v1alpha1 {kind} is deprecated; \
                 use serving.knative.dev/v1 {kind}\n"
            );
            ensure!(said.stderr.contains(&warning), "{kind}: {}", said.stderr);
        }
        said.good()?;
        let service = space.ready("app", READY).await?;
        let answer = space.ask(&service, "/").await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        filled_in(&service)?;
        applied_again(space, &manifests[0]).await?;
        refused(space, &manifests[0]).await
    })
    .await
}

/// Admission saw it: there are defaults and a signature.
fn filled_in(service: &Service) -> Result<()> {
    let timeout = service.spec.template.spec.timeout_seconds;
    ensure!(timeout == Some(300), "the timeout is {timeout:?}");
    let creator = service.metadata.annotations.as_ref();
    let creator = creator.and_then(|all| all.get("serving.knative.dev/creator"));
    creator.context("nobody created it")?;
    Ok(())
}

async fn applied_again(space: &Space, manifest: &str) -> Result<()> {
    kubectl::apply(&space.name, manifest).await?.good()?;
    let again = space.api::<Service>().get("app").await?;
    let generation = again.metadata.generation;
    ensure!(generation == Some(1), "generation {generation:?}");
    let resource = "services.v1alpha1.serving.knative.dev";
    let path = "jsonpath={.apiVersion}";
    let said = kubectl(&["get", resource, "app", "-n", &space.name, "-o", path], "").await?;
    let version = said.good()?;
    ensure!(
        version == "serving.knative.dev/v1alpha1",
        "it is read as {version}"
    );
    Ok(())
}

async fn refused(space: &Space, manifest: &str) -> Result<()> {
    let bad = manifest.replace("containers: [{", "containers: [{name: queue-proxy, ");
    let said = kubectl::apply(&space.name, &bad).await?;
    let text = "validation failed: \"queue-proxy\" is a reserved container name: \
                spec.template.spec.containers[0].name";
    ensure!(!said.ok && said.stderr.contains(text), "{}", said.stderr);
    Ok(())
}

#[tokio::test]
async fn every_kind_is_stored_in_one_version() -> Result<()> {
    let cluster = Cluster::connect().await?;
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let ours = ListParams::default().labels("knative.dev/crd-install=true");
    until("one stored version", Duration::from_secs(10), async || {
        for crd in api.list(&ours).await? {
            let status = crd.status.unwrap_or_default();
            let versions = status.stored_versions.unwrap_or_default();
            let [version] = versions.as_slice() else {
                return Ok(Seen::NotYet(format!(
                    "{:?}: {versions:?}",
                    crd.spec.names.kind
                )));
            };
            let older = KINDS.contains(&&*crd.spec.names.kind) && version != "v1";
            ensure!(!older, "{} is stored as {version}", crd.spec.names.kind);
        }
        Ok(Seen::Done(()))
    })
    .await
}
