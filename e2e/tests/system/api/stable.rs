//! What is written again stays as it was, however it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::configuration::Configuration;
use crds::route::Route;
use e2e::kubectl::{Said, kubectl};
use e2e::namespace::{Space, in_namespace};
use e2e::service::READY;
use e2e::wait::{Seen, until};
use serde_json::Value;

const MANIFEST: &str = include_str!("stable.yaml");
/// How long it may take until an object is replaced that controllers write statuses of.
const REPLACED: Duration = Duration::from_secs(30);
/// What Service, Configuration and so on are made of, by kind and name: the spec, as text.
type Specs = BTreeMap<String, String>;

#[tokio::test]
async fn an_applied_object_stays_as_it_is() -> Result<()> {
    in_namespace("stable", async |space| stays(space, &["apply"]).await).await
}

#[tokio::test]
async fn an_object_applied_by_the_server_stays_as_it_is() -> Result<()> {
    let server_side = ["apply", "--server-side"];
    in_namespace("stable-ssa", async |space| stays(space, &server_side).await).await
}

/// Writes the manifest as `first` says, then in all ways, and looks each time.
async fn stays(space: &Space, first: &[&str]) -> Result<()> {
    let manifest = MANIFEST
        .replace("NAMESPACE", &space.name)
        .replace("IMAGE", &space.cluster.hello_image());
    on(space, first, &manifest).await?.good()?;
    let before = specs(space, &manifest).await?;
    ensure!(before.len() == 12, "{} objects", before.len());
    space.ready("app", READY).await?;
    // A list of containers without defaults is another value than the one with: whoever comes second
    // must say that he means it.
    let server_side = ["apply", "--server-side", "--force-conflicts"];
    for way in [first, first, &server_side, &["apply"]] {
        on(space, way, &manifest).await?.good()?;
        let same = unchanged(space, &manifest, &before).await;
        same.with_context(|| format!("{way:?}"))?;
    }
    replace(space, &manifest).await?;
    unchanged(space, &manifest, &before)
        .await
        .context("replace")?;
    children_of_the_service(space).await
}

/// `kubectl get -o yaml | kubectl replace -f -`. A status in between is a conflict: then again.
async fn replace(space: &Space, manifest: &str) -> Result<()> {
    until("replaced", REPLACED, async || {
        let stored = on(space, &["get", "-o", "yaml"], manifest).await?.good()?;
        let said = on(space, &["replace"], &stored).await?;
        if said.ok {
            return Ok(Seen::Done(()));
        }
        Ok(Seen::NotYet(said.stderr))
    })
    .await
}

async fn unchanged(space: &Space, manifest: &str, before: &Specs) -> Result<()> {
    for (object, spec) in specs(space, manifest).await? {
        let old = before.get(&object).context("another object")?;
        ensure!(spec == *old, "{object} was\n{old}\nand is\n{spec}");
    }
    Ok(())
}

/// The specs of all objects; fails if one is not in its first generation.
async fn specs(space: &Space, manifest: &str) -> Result<Specs> {
    let said = on(space, &["get", "-o", "json"], manifest).await?.good()?;
    let list: Value = serde_json::from_str(&said)?;
    let mut specs = Specs::new();
    for object in list["items"].as_array().into_iter().flatten() {
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        let generation = &object["metadata"]["generation"];
        if generation != 1 {
            bail!("{name} has generation {generation}: {}", object["spec"]);
        }
        specs.insert(name, object["spec"].to_string());
    }
    Ok(specs)
}

async fn children_of_the_service(space: &Space) -> Result<()> {
    let configuration = space.api::<Configuration>().get("app").await?.metadata;
    let route = space.api::<Route>().get("app").await?.metadata;
    let generations = [configuration.generation, route.generation];
    ensure!(generations == [Some(1); 2], "generations {generations:?}");
    Ok(())
}

/// `kubectl ARGS -f -` in the namespace.
async fn on(space: &Space, args: &[&str], manifest: &str) -> Result<Said> {
    let from = ["-n", &space.name, "-f", "-"];
    kubectl(&[args, &from].concat(), manifest).await
}
