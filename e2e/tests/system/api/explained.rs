//! `kubectl explain` has something to say of every field.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use e2e::cluster::Cluster;
use e2e::kubectl::kubectl;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;

const CRDS: &str = "knative.dev/crd-install=true";
/// How many kubectl at once.
const AT_ONCE: usize = 4;
/// Pods of Configurations and Revisions are those of Services: asked once.
const AS_IN_SERVICES: [&str; 2] = ["configurations.spec.template.spec", "revisions.spec"];

/// An object in a schema: where, and which fields it has.
struct Node {
    api_version: String,
    /// Resource and fields, as kubectl spells them: `services.spec.template`.
    path: String,
    fields: Vec<String>,
}

#[tokio::test]
async fn every_field_is_explained() -> Result<()> {
    let cluster = Cluster::connect().await?;
    let mut asked = Vec::new();
    for crd in crds(&cluster).await? {
        let mut nodes = nodes(&crd)?;
        nodes.retain(|node| !AS_IN_SERVICES.iter().any(|pod| inside(&node.path, pod)));
        asked.append(&mut nodes);
    }
    let count = asked.len();
    stream::iter(asked)
        .map(check)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    println!("explained: {count} objects");
    Ok(())
}

#[tokio::test]
async fn the_whole_tree_of_a_service_is_shown() -> Result<()> {
    let cluster = Cluster::connect().await?;
    let said = kubectl(&["explain", "ksvc", "--recursive"], "")
        .await?
        .good()?;
    let shown: BTreeSet<&str> = said.lines().map(first_word).collect();
    let crds = crds(&cluster).await?;
    let service = crds.iter().find(|crd| crd.spec.names.plural == "services");
    for node in nodes(service.context("no CRD of Services")?)? {
        let mut fields = node.fields.iter();
        let hidden = fields.find(|field| !shown.contains(field.as_str()));
        ensure!(
            hidden.is_none(),
            "{}: {hidden:?} is not in {said}",
            node.path
        );
    }
    Ok(())
}

async fn crds(cluster: &Cluster) -> Result<Vec<CustomResourceDefinition>> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let crds = api.list(&ListParams::default().labels(CRDS)).await?.items;
    ensure!(crds.len() == 12, "{} CRDs", crds.len());
    Ok(crds)
}

/// The objects in the schema of the stored version.
fn nodes(crd: &CustomResourceDefinition) -> Result<Vec<Node>> {
    let mut versions = crd.spec.versions.iter();
    let stored = versions
        .find(|version| version.storage)
        .context("no stored version")?;
    let schema = serde_json::to_value(&stored.schema)?;
    let api_version = format!("{}/{}", crd.spec.group, stored.name);
    let mut nodes = Vec::new();
    collect(
        &crd.spec.names.plural,
        &schema["openAPIV3Schema"],
        &mut |path, fields| {
            let (api_version, path) = (api_version.clone(), path.to_owned());
            nodes.push(Node {
                api_version,
                path,
                fields,
            });
        },
    );
    Ok(nodes)
}

/// Whether `path` is deeper than `outer`.
fn inside(path: &str, outer: &str) -> bool {
    let deeper = path.strip_prefix(outer);
    deeper.is_some_and(|rest| rest.starts_with('.'))
}

/// Finds every object of a schema that has fields. The metadata of an object is Kubernetes' own.
fn collect(path: &str, schema: &Value, found: &mut impl FnMut(&str, Vec<String>)) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found(path, properties.keys().cloned().collect());
        for (name, field) in properties {
            collect(&format!("{path}.{name}"), field, found);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(inner) {
            collect(path, inner, found);
        }
    }
}

async fn check(node: Node) -> Result<()> {
    let args = ["explain", "--api-version", &node.api_version, &node.path];
    let said = kubectl(&args, "").await?.good()?;
    let explained = explained(&said);
    for field in node.fields {
        let text = explained.get(&*field).map_or("", |text| text);
        ensure!(
            !text.is_empty(),
            "{}.{field} is not explained: {said}",
            node.path
        );
    }
    Ok(())
}

/// The fields of an answer, and the first line of what it says of each.
fn explained(answer: &str) -> BTreeMap<&str, &str> {
    let mut fields = BTreeMap::new();
    let mut last = "";
    for line in answer.lines().skip_while(|line| *line != "FIELDS:").skip(1) {
        let text = line.trim_start();
        let first = first_word(line);
        match line.len() - text.len() {
            2 if first != "enum:" => last = first,
            4 if text != "<no description>" => {
                fields.entry(last).or_insert(text);
            }
            _ => {}
        }
    }
    fields
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}
