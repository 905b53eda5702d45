//! "Why this scale?": the command, from outside of the cluster.

use anyhow::{Result, ensure};
use e2e::cluster::{binary, kubeconfig};
use e2e::kubectl::Said;
use e2e::namespace::{Space, in_namespace};
use e2e::service::Wanted;
use serde_json::Value;
use tokio::process::Command;

#[tokio::test]
async fn a_service_that_came_and_went_explains_itself() -> Result<()> {
    in_namespace("explain", async |space| {
        let wanted = Wanted::answering(space, "hello", "here");
        let service = space.deploy(wanted).await?;
        space.at_zero("hello").await?;
        let answer = space.ask(&service, "/").await?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        space.at_zero("hello").await?;

        let json = explain(space, "hello-00001", &["--json"]).await?.good()?;
        let decisions: Vec<Value> = serde_json::from_str(&json)?;
        let written = decisions.iter().filter_map(|line| line["written"].as_u64());
        let written: Vec<_> = written.collect();
        ensure!(written.ends_with(&[1, 0]), "written: {written:?}: {json}");

        let table = explain(space, "hello-00001", &[]).await?.good()?;
        println!("{table}");
        ensure!(table.starts_with("SINCE "), "{table}");
        for words in [
            "steady load / target",
            "told to be inactive first",
            "pods go",
        ] {
            ensure!(table.contains(words), "{words} is missing: {table}");
        }
        refused(space).await
    })
    .await
}

async fn refused(space: &Space) -> Result<()> {
    let said = explain(space, "nobody", &[]).await?;
    let namespace = &space.name;
    let wanted = format!(
        "there is no revision {namespace}/nobody; see: kubectl -n {namespace} get revisions"
    );
    ensure!(!said.ok && said.stderr.contains(&wanted), "{said:?}");
    Ok(())
}

/// The command that a user gives in a checkout, but for its build.
async fn explain(space: &Space, revision: &str, flags: &[&str]) -> Result<Said> {
    let output = Command::new(binary("autoscaler")?)
        .arg("explain")
        .arg(format!("{}/{revision}", space.name))
        .args(flags)
        .env("KUBECONFIG", kubeconfig().await?)
        .output()
        .await?;
    Ok(Said::from(output))
}
