//! A real Prometheus in the cluster, as people run it: it finds what to scrape by asking Kubernetes.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use crate::cluster::source_root;
use crate::namespace::Space;
use crate::wait::{Seen, until};

/// What its objects are called.
const NAME: &str = "prometheus";
const PORT: u16 = 9090;
/// How long it may take to start: its image is large.
const STARTED: Duration = Duration::from_secs(60);
/// What people's configuration says, and what tests have time for.
const INTERVALS: [&str; 2] = ["scrape_interval: 15s", "scrape_interval: 1s"];

/// A Prometheus that runs in the namespace of a test.
#[derive(Clone, Debug)]
pub struct Prometheus {
    space: Space,
}

/// One value of an answer, and its labels.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// Its labels.
    pub metric: BTreeMap<String, String>,
    /// When, and how much.
    value: (f64, String),
}

#[derive(Deserialize)]
struct Page {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Sample>,
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts it with `config/monitoring/prometheus.yml`, and waits until it answers.
    pub async fn start(space: &Space) -> Result<Self> {
        let image = image().await?;
        allow(space).await?;
        space.apply(&configuration()?).await?;
        let pod: Pod = serde_json::from_value(pod(&image))?;
        space.apply(&pod).await?;
        let prometheus = Self {
            space: space.clone(),
        };
        until("Prometheus answers", STARTED, async || {
            prometheus.ask("vector(1)").await?;
            Ok(Seen::Done(()))
        })
        .await?;
        Ok(prometheus)
    }

    /// The samples that a query gives now.
    pub async fn ask(&self, query: &str) -> Result<Vec<Sample>> {
        let namespace = &self.space.name;
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{NAME}:{PORT}/proxy/api/v1/query?query={}",
            encoded(query)
        );
        let request = Request::get(path).body(Vec::new())?;
        let text = self.space.cluster.client.request_text(request).await?;
        let page: Page = serde_json::from_str(&text)?;
        Ok(page.data.result)
    }

    /// The only value that a query gives now.
    pub async fn value(&self, query: &str) -> Result<f64> {
        let samples = self.ask(query).await?;
        ensure!(samples.len() == 1, "{} samples", samples.len());
        samples[0].number()
    }
}

// === impl Sample ===

impl Sample {
    /// How much.
    pub fn number(&self) -> Result<f64> {
        self.value.1.parse().context("no number")
    }
}

async fn image() -> Result<String> {
    let program = source_root().join("e2e/prometheus");
    let output = Command::new(&program).output().await;
    let output = output.with_context(|| format!("{} can't be run", program.display()))?;
    ensure!(
        output.status.success(),
        "e2e/prometheus: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Lets it look for what to scrape, as long as the namespace is there.
async fn allow(space: &Space) -> Result<()> {
    let account = ServiceAccount {
        metadata: named(NAME),
        ..ServiceAccount::default()
    };
    space.apply(&account).await?;
    let client = &space.cluster.client;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        name: space.name.clone(),
        uid: namespaces
            .get(&space.name)
            .await?
            .uid()
            .context("a namespace without uid")?,
        ..OwnerReference::default()
    };
    let metadata = ObjectMeta {
        owner_references: Some(vec![owner]),
        ..named(&space.name)
    };
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let role = ClusterRole {
        metadata: metadata.clone(),
        rules: Some(vec![PolicyRule {
            api_groups: Some(list(&[""])),
            resources: Some(list(&["pods", "services", "endpoints"])),
            verbs: list(&["get", "list", "watch"]),
            ..PolicyRule::default()
        }]),
        ..ClusterRole::default()
    };
    let binding = ClusterRoleBinding {
        metadata,
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: space.name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: NAME.to_owned(),
            namespace: Some(space.name.clone()),
            ..Subject::default()
        }]),
    };
    let new = PostParams::default();
    Api::all(client.clone()).create(&new, &role).await?;
    Api::all(client.clone()).create(&new, &binding).await?;
    Ok(())
}

fn configuration() -> Result<ConfigMap> {
    let path = source_root().join("config/monitoring/prometheus.yml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let [usual, quick] = INTERVALS;
    ensure!(text.contains(usual), "{} lacks {usual}", path.display());
    let text = text.replace(usual, quick);
    Ok(ConfigMap {
        metadata: named(NAME),
        data: Some([("prometheus.yml".to_owned(), text)].into()),
        ..ConfigMap::default()
    })
}

fn pod(image: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME},
        "spec": {
            "serviceAccountName": NAME,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": NAME,
                "image": image,
                "args": ["--config.file=/config/prometheus.yml", "--storage.tsdb.path=/tmp/data"],
                "volumeMounts": [{"name": "config", "mountPath": "/config"}],
            }],
            "volumes": [{"name": "config", "configMap": {"name": NAME}}],
        },
    })
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

/// As a query of a URL has it.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn queries_survive_their_way_in_a_url() {
        assert_eq!(
            encoded("sum(a_b{c=~\"2..\"})"),
            "sum%28a_b%7Bc%3D~%222..%22%7D%29".replace('~', "%7E")
        );
    }
}
