//! What an author may change, and what not.

use anyhow::{Result, ensure};
use e2e::kubectl::{self, Said, kubectl};
use e2e::namespace::{Space, in_namespace};

use super::row::denial;

/// A Service whose revision has a name of its own.
fn manifest(image: &str, revision: &str, annotation: &str) -> String {
    format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Service, \
         metadata: {{name: app, annotations: {{{annotation}}}}}, \
         spec: {{template: {{metadata: {{name: {revision}}}, \
         spec: {{containers: [{{image: '{image}'}}]}}}}}}}}"
    )
}

async fn try_to_apply(space: &Space, manifest: &str) -> Result<Said> {
    let args = ["apply", "--dry-run=server", "-n", &space.name, "-f", "-"];
    kubectl(&args, manifest).await
}

#[tokio::test]
async fn a_changed_template_needs_another_name() -> Result<()> {
    in_namespace("renamed", async |space| {
        let image = space.cluster.hello_image();
        let stored = manifest(&image, "app-1", "");
        kubectl::apply(&space.name, &stored).await?.good()?;

        let said = try_to_apply(space, &manifest("a/b", "app-1", "")).await?;
        let text = denial(&said)?;
        let expected = "validation failed: Saw the following changes without a name change (-old +new): \
                        spec.template.metadata.name\n";
        ensure!(text.starts_with(expected), "{text}");
        for side in [format!("-: \"{image}\""), "+: \"a/b\"".to_owned()] {
            ensure!(text.contains(&side), "{side} is not in {text}");
        }
        let renamed = manifest("a/b", "app-2", "");
        try_to_apply(space, &renamed).await?.good()?;
        on(space, &["annotate", "ksvc", "app", "note=new"]).await?.good()?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_revision_changes_its_labels_but_never_its_spec() -> Result<()> {
    in_namespace("immutable", async |space| {
        let revision = format!(
            "{{apiVersion: serving.knative.dev/v1, kind: Revision, metadata: {{name: alone}}, \
             spec: {{containers: [{{image: '{}'}}]}}}}",
            space.cluster.hello_image()
        );
        kubectl::apply(&space.name, &revision).await?.good()?;

        let change = r#"{"spec": {"timeoutSeconds": 42}}"#;
        let args = ["patch", "rev", "alone", "--type", "merge", "-p", change];
        let said = on(space, &args).await?;
        let text = denial(&said)?;
        let expected = "validation failed: Immutable fields changed (-old +new): spec\n";
        ensure!(text.starts_with(expected), "{text}");
        on(space, &["label", "rev", "alone", "note=new"])
            .await?
            .good()?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nobody_signs_for_another() -> Result<()> {
    in_namespace("signed", async |space| {
        let image = space.cluster.hello_image();
        kubectl::apply(&space.name, &manifest(&image, "app-1", ""))
            .await?
            .good()?;
        for (annotation, expected) in [
            (
                "serving.knative.dev/creator=you",
                "annotation value is immutable: metadata.annotations.serving.knative.dev/creator",
            ),
            (
                "serving.knative.dev/lastModifier=you",
                "invalid value: you: metadata.annotations.serving.knative.dev/lastModifier",
            ),
        ] {
            let said = on(
                space,
                &["annotate", "--overwrite", "ksvc", "app", annotation],
            )
            .await?;
            let expected = format!("validation failed: {expected}");
            let text = denial(&said)?;
            ensure!(text == expected, "{annotation}: {text}");
        }
        Ok(())
    })
    .await
}

/// `kubectl ARGS` for show.
async fn on(space: &Space, args: &[&str]) -> Result<Said> {
    let dry = ["--dry-run=server", "-n", &space.name];
    kubectl(&[args, &dry].concat(), "").await
}
