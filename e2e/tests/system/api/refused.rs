//! What can't work is refused by `kubectl apply`, in upstream's words.

use anyhow::{Context, Result, ensure};
use e2e::kubectl::Said;
use e2e::namespace::in_namespace;
use serde_json::json;

use super::row::{Folder, Row, denial, try_to_apply};

/// By section of contract/control-plane: 1.3, 1.4, 1.5, 1.5, 1.6, 1.7 to 1.9.
const TABLES: [&str; 6] = [
    include_str!("refused/metadata.yaml"),
    include_str!("refused/traffic.yaml"),
    include_str!("refused/pod.yaml"),
    include_str!("refused/container.yaml"),
    include_str!("refused/annotation.yaml"),
    include_str!("refused/kind.yaml"),
];

/// One call of kubectl for all rows: it goes on after an error, and names the file that it speaks of.
#[tokio::test]
async fn what_can_not_work_is_refused_in_known_words() -> Result<()> {
    in_namespace("refused", async |space| {
        let mut rows: Vec<Row> = Vec::new();
        for table in TABLES {
            rows.extend(super::row::rows(space, table)?);
        }
        ensure!(rows.len() >= 60, "{} rows", rows.len());
        let folder = Folder::new(&space.name)?;
        for (index, row) in rows.iter().enumerate() {
            folder.write(&file(index), &row.object(&format!("row-{index}"))?)?;
        }
        let said = folder.try_to_apply(space).await?;
        let wrong: Vec<String> = rows
            .iter()
            .enumerate()
            .filter_map(|(index, row)| Some(format!("{row:?}\n  {}", wrong(&said, index, row)?)))
            .collect();
        let (count, of) = (wrong.len(), rows.len());
        ensure!(wrong.is_empty(), "{count} of {of}:\n{}", wrong.join("\n"));
        println!("refused: {of} rows");
        Ok(())
    })
    .await
}

fn file(index: usize) -> String {
    format!("{index:03}.json")
}

/// What is wrong about the answer to a row; nothing if nothing is.
fn wrong(said: &Said, index: usize, row: &Row) -> Option<String> {
    let Some(answer) = answer(&said.stderr, &file(index)) else {
        return Some("was admitted".to_owned());
    };
    let denied = answer.split_once("denied the request: ");
    let text = denied.map_or(&*answer, |(_, text)| text);
    let expected = format!("validation failed: {}", row.says);
    (text != expected).then(|| format!("said {text:?}"))
}

/// The error that names `file`: the line that does, and those up to the next error.
fn answer(errors: &str, file: &str) -> Option<String> {
    let named = format!("/{file}\"");
    let mut lines = errors.lines().skip_while(|line| !line.contains(&named));
    let first = lines.next()?;
    let rest = lines.take_while(|line| !line.contains(".json\""));
    Some(
        std::iter::once(first)
            .chain(rest)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

/// Only the API server can judge it, so a pod is tried when the author tries.
#[tokio::test]
async fn a_dry_run_tries_the_pod_as_well() -> Result<()> {
    in_namespace("tried", async |space| {
        for (kind, spec) in [("Service", "template"), ("Configuration", "template")] {
            let template =
                json!({ "spec": { "containers": [{ "name": "&InvalidValue", "image": "a/b" }] } });
            let object = json!({
                "apiVersion": "serving.knative.dev/v1",
                "kind": kind,
                "metadata": { "name": "app" },
                "spec": { spec: template },
            });
            let said = try_to_apply(space, &object).await?;
            let text = denial(&said)?;
            let begins = "validation callback failed: dry run failed with ";
            ensure!(text.starts_with(begins), "{kind}: {text}");
            ensure!(
                text.contains("spec.containers[0].name: Invalid value: \"&InvalidValue\""),
                "{text}"
            );
            ensure!(text.ends_with(": spec.template"), "{kind}: {text}");
        }
        Ok(())
    })
    .await
}

/// kubectl asks for strictness; who does without loses the field and hears nothing.
#[tokio::test]
async fn a_field_that_no_revision_has_is_named() -> Result<()> {
    in_namespace("unknown-field", async |space| {
        for (field, value) in [
            ("lifecycle", json!({})),
            ("stdin", json!(true)),
            ("volumeDevices", json!([])),
        ] {
            let container = json!({ "image": "a/b", field: value });
            let object = json!({
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Service",
                "metadata": { "name": "app" },
                "spec": { "template": { "spec": { "containers": [container] } } },
            });
            let said = try_to_apply(space, &object).await?;
            let text = format!("unknown field \"spec.template.spec.containers[0].{field}\"");
            ensure!(!said.ok && said.stderr.contains(&text), "{}", said.stderr);
        }
        Ok(())
    })
    .await
    .context("strict decoding")
}
