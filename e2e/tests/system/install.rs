//! What people see of the installation.

use anyhow::{Context, Result, ensure};
use e2e::cluster::SYSTEM;
use e2e::kubectl::kubectl;
use e2e::namespace::in_namespace;
use e2e::service::Wanted;

/// Where `make gen` writes the CRDs.
const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/core/300-resources");
/// Headings of `kubectl get`, by short name. Age is left to Kubernetes.
const COLUMNS: [(&str, &str); 8] = [
    ("ksvc", "NAME URL LATESTCREATED LATESTREADY READY REASON"),
    ("cfg", "NAME LATESTCREATED LATESTREADY READY REASON"),
    (
        "rev",
        "NAME CONFIG NAME GENERATION READY REASON ACTUAL REPLICAS DESIRED REPLICAS",
    ),
    ("rt", "NAME URL READY REASON"),
    ("kpa", "NAME DESIREDSCALE ACTUALSCALE READY REASON"),
    (
        "sks",
        "NAME MODE ACTIVATORS SERVICENAME PRIVATESERVICENAME READY REASON",
    ),
    ("king", "NAME READY REASON"),
    (
        "kservice",
        "NAME URL LATESTCREATED LATESTREADY READY REASON",
    ),
];

#[tokio::test]
async fn get_shows_the_columns_that_people_know() -> Result<()> {
    in_namespace("columns", async |space| {
        space
            .deploy(Wanted::answering(space, "app", "here"))
            .await?;
        for (name, expected) in COLUMNS {
            let table = kubectl(&["get", name, "-n", &space.name], "")
                .await?
                .good()?;
            let heading = table.lines().next().context("no table")?;
            let words: Vec<_> = heading.split_whitespace().collect();
            ensure!(words.join(" ") == expected, "kubectl get {name}: {heading}");
        }
        for category in ["all", "knative", "serving"] {
            let table = kubectl(&["get", category, "-n", &space.name], "")
                .await?
                .good()?;
            ensure!(
                table.contains("service.serving.knative.dev/app"),
                "get {category}: {table}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_cluster_has_the_kinds_that_are_generated() -> Result<()> {
    let args = ["diff", "--server-side", "--force-conflicts", "-k", CRDS];
    let said = kubectl(&args, "").await?;
    ensure!(said.ok, "the CRDs differ: {}{}", said.stdout, said.stderr);
    Ok(())
}

#[tokio::test]
async fn the_parts_run_as_nobody_with_nothing_to_write_on() -> Result<()> {
    let jsonpath = "jsonpath={range .items[*].spec.template.spec}\
                    {.securityContext.runAsNonRoot} \
                    {.containers[*].securityContext.readOnlyRootFilesystem} \
                    {.containers[*].securityContext.allowPrivilegeEscalation}\n{end}";
    let said = kubectl(&["get", "deployments", "-n", SYSTEM, "-o", jsonpath], "")
        .await?
        .good()?;
    let lines: Vec<_> = said.lines().collect();
    ensure!(lines.len() >= 4, "{} deployments in {SYSTEM}", lines.len());
    ensure!(
        lines.iter().all(|line| *line == "true true false"),
        "{said}"
    );
    Ok(())
}
