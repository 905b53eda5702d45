//! Rows of the tables in `admitted.yaml` and `refused/`: an object, and what admission says of it.
//!
//! A row gives the spec of a kind (`Route: {...}`), or only a part of a good Service: `traffic`,
//! `annotations` of the template, the `pod`, its only `container`, its only `volume`, or the only
//! `mount` of that. `metadata` may stand beside each of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Said, kubectl};
use e2e::namespace::Space;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Stands for the namespace of the test.
const NAMESPACE: &str = "NAMESPACE";

/// One object, and what admission says of it.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    #[serde(default)]
    metadata: Map<String, Value>,
    /// Why it is refused, after `validation failed: `.
    #[serde(default)]
    pub(super) says: String,
    /// What its author is warned of.
    #[serde(default)]
    pub(super) warns: Vec<String>,
    #[serde(flatten)]
    given: BTreeMap<String, Value>,
}

/// The rows of a table: lists of rows, each under what they are to show.
pub(super) fn rows(space: &Space, table: &str) -> Result<Vec<Row>> {
    let table = table.replace(NAMESPACE, &space.name);
    let groups: BTreeMap<String, Vec<Row>> = serde_yaml::from_str(&table)?;
    Ok(groups.into_values().flatten().collect())
}

/// Files for `kubectl -f`; they go away with this.
pub(super) struct Folder(PathBuf);

// === impl Row ===

impl Row {
    /// The object, under `name` if the row gives no other.
    pub(super) fn object(&self, name: &str) -> Result<Value> {
        let given = self.given.iter().next().filter(|_| self.given.len() == 1);
        let (part, value) = given.with_context(|| format!("not one object: {:?}", self.given))?;
        let (kind, mut spec) = spec(part, value.clone());
        spec.pointer_mut("/template/spec/containers").map(close);
        let mut metadata = self.metadata.clone();
        metadata.entry("name").or_insert_with(|| json!(name));
        let api_version = api_version(kind);
        Ok(json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec }))
    }
}

/// The kind that `part` belongs to, and a spec with it.
fn spec(part: &str, value: Value) -> (&str, Value) {
    let image = json!({ "image": "a/b" });
    let mounting = |mount: Value| json!({ "image": "a/b", "volumeMounts": [mount] });
    let template = match part {
        "traffic" => {
            let template = json!({ "spec": { "containers": [image] } });
            return ("Service", json!({ "template": template, "traffic": value }));
        }
        "annotations" => {
            json!({ "metadata": { "annotations": value }, "spec": { "containers": [image] } })
        }
        "pod" => json!({ "spec": joined(json!({ "containers": [image] }), value) }),
        "container" => json!({ "spec": { "containers": [joined(image, value)] } }),
        "volume" => {
            let mount = json!({ "name": "v", "mountPath": "/v" });
            let volume = joined(json!({ "name": "v" }), value);
            json!({ "spec": { "containers": [mounting(mount)], "volumes": [volume] } })
        }
        "mount" => {
            let mount = joined(json!({ "name": "v" }), value);
            let volume = json!({ "name": "v", "emptyDir": {} });
            json!({ "spec": { "containers": [mounting(mount)], "volumes": [volume] } })
        }
        kind => return (kind, value),
    };
    ("Service", json!({ "template": template }))
}

fn joined(mut base: Value, over: Value) -> Value {
    if let (Value::Object(base), Value::Object(over)) = (&mut base, over) {
        base.extend(over);
    }
    base
}

/// Containers that say nothing of their security get a context that nobody warns of.
fn close(containers: &mut Value) {
    let each = containers.as_array_mut().into_iter().flatten();
    for container in each.filter_map(Value::as_object_mut) {
        container.entry("securityContext").or_insert_with(|| {
            json!({
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "runAsNonRoot": true,
                "seccompProfile": { "type": "RuntimeDefault" },
            })
        });
    }
}

fn api_version(kind: &str) -> &'static str {
    match kind {
        "DomainMapping" => "serving.knative.dev/v1beta1",
        "PodAutoscaler" | "Metric" => "autoscaling.internal.knative.dev/v1alpha1",
        "Ingress" | "ServerlessService" | "Certificate" => {
            "networking.internal.knative.dev/v1alpha1"
        }
        _ => "serving.knative.dev/v1",
    }
}

// === impl Folder ===

impl Folder {
    /// A folder of that name, empty.
    pub(super) fn new(name: &str) -> Result<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Writes one object.
    pub(super) fn write(&self, file: &str, object: &Value) -> Result<()> {
        Ok(std::fs::write(self.0.join(file), object.to_string())?)
    }

    /// What `kubectl apply --dry-run=server` says of all of them.
    pub(super) async fn try_to_apply(&self, space: &Space) -> Result<Said> {
        let path = self.0.to_str().context("a path that is no text")?;
        let args = ["apply", "--dry-run=server", "-n", &space.name, "-f", path];
        kubectl(&args, "").await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What `kubectl apply --dry-run=server` says of `object`.
pub(super) async fn try_to_apply(space: &Space, object: &Value) -> Result<Said> {
    let args = ["apply", "--dry-run=server", "-n", &space.name, "-f", "-"];
    kubectl(&args, &object.to_string()).await
}

/// What the webhook said when it refused.
pub(super) fn denial(said: &Said) -> Result<&str> {
    ensure!(!said.ok, "it was admitted: {}", said.stdout);
    let (_, text) = said
        .stderr
        .split_once("denied the request: ")
        .with_context(|| format!("refused by somebody else: {}", said.stderr))?;
    Ok(text.trim_end_matches('\n'))
}
