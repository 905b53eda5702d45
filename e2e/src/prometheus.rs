//! A real Prometheus in the cluster, with the configuration that people get from us. Debian's is built
//! without the part that asks Kubernetes what there is; [`discovery`] asks instead, and Prometheus
//! chooses from that by its own rules.

mod discovery;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use self::discovery::Discovery;
use crate::cluster::source_root;
use crate::namespace::Space;
use crate::wait::{Seen, until};

/// What its objects are called.
const NAME: &str = "prometheus";
const PORT: u16 = 9090;
/// How long it may take to start: its image is large.
const STARTED: Duration = Duration::from_secs(60);
/// Time between two looks: tests have less of it than people.
const INTERVAL: &str = "1s";
/// Where it finds its configuration: a YAML reader reads JSON as well.
const FOLDER: &str = "/config";
const CONFIG: &str = "prometheus.json";

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
    /// Starts it with `config/monitoring/prometheus.yml`, and waits until it answers. It knows the pods
    /// that are there now.
    pub async fn start(space: &Space) -> Result<Self> {
        let image = image().await?;
        space.apply(&configuration(space).await?).await?;
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

/// What people's configuration says, with quick looks and what was found by now.
async fn configuration(space: &Space) -> Result<ConfigMap> {
    let path = source_root().join("config/monitoring/prometheus.yml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut config: Value = serde_yaml::from_str(&text)?;
    config["global"]["scrape_interval"] = json!(INTERVAL);
    let jobs = config["scrape_configs"].as_array_mut();
    let mut files = BTreeMap::new();
    for (index, job) in jobs.context("no scrape_configs")?.iter_mut().enumerate() {
        let job = job.as_object_mut().context("no job")?;
        let asked = job.remove("kubernetes_sd_configs");
        let asked: Vec<Discovery> = serde_json::from_value(asked.unwrap_or_default())?;
        let found = discovery::find(&space.cluster.client, &asked).await?;
        let file = format!("{index}.json");
        let path = format!("{FOLDER}/{file}");
        job.insert("file_sd_configs".to_owned(), json!([{"files": [path]}]));
        files.insert(file, serde_json::to_string(&found)?);
    }
    files.insert(CONFIG.to_owned(), serde_json::to_string(&config)?);
    Ok(ConfigMap {
        metadata: named(NAME),
        data: Some(files),
        ..ConfigMap::default()
    })
}

fn pod(image: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": NAME,
                "image": image,
                "args": [format!("--config.file={FOLDER}/{CONFIG}"), "--storage.tsdb.path=/tmp/data"],
                "volumeMounts": [{"name": "config", "mountPath": FOLDER}],
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
