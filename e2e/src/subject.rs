//! Services of the app in `samples/apps/subject`, whose parts are given as a manifest gives them.

use anyhow::{Context, Result, ensure};
use crds::service::Service;
use serde_json::{Map, Value, json};

use crate::namespace::Space;
use crate::service::{READY, SHORT_WINDOW};

/// A Service to be.
#[derive(Clone, Debug)]
pub struct Subject {
    name: String,
    metadata: Value,
    revision: Value,
    container: Value,
    sidecars: Vec<Value>,
    spec: Value,
    traffic: Option<Value>,
}

// === impl Subject ===

impl Subject {
    /// A Service `name` that goes to zero soon.
    pub fn new(space: &Space, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            metadata: json!({ "name": name }),
            revision: json!({ "annotations": { "autoscaling.knative.dev/window": SHORT_WINDOW } }),
            container: json!({ "image": space.cluster.subject_image() }),
            sidecars: Vec::new(),
            spec: json!({ "automountServiceAccountToken": false }),
            traffic: None,
        }
    }

    /// More of its own metadata.
    #[must_use]
    pub fn metadata(mut self, part: Value) -> Self {
        merge(&mut self.metadata, part);
        self
    }

    /// An annotation of the revision.
    #[must_use]
    pub fn annotation(self, name: &str, value: &str) -> Self {
        self.revision(json!({ "annotations": { name: value } }))
    }

    /// More of the revision's metadata.
    #[must_use]
    pub fn revision(mut self, part: Value) -> Self {
        merge(&mut self.revision, part);
        self
    }

    /// More of its container. Lists are not joined, but those of variables are.
    #[must_use]
    pub fn container(mut self, part: Value) -> Self {
        merge(&mut self.container, part);
        self
    }

    /// A variable of its container.
    #[must_use]
    pub fn env(self, name: &str, value: &str) -> Self {
        self.container(json!({ "env": [{ "name": name, "value": value }] }))
    }

    /// Another container of the same image.
    #[must_use]
    pub fn sidecar(mut self, part: Value) -> Self {
        let mut container = json!({ "image": self.container["image"] });
        merge(&mut container, part);
        self.sidecars.push(container);
        self
    }

    /// More of the revision, beside its containers.
    #[must_use]
    pub fn spec(mut self, part: Value) -> Self {
        merge(&mut self.spec, part);
        self
    }

    /// Who gets its traffic.
    #[must_use]
    pub fn traffic(mut self, targets: Value) -> Self {
        self.traffic = Some(targets);
        self
    }

    /// The object to apply.
    pub fn build(self) -> Result<Service> {
        let mut spec = self.spec;
        let containers: Vec<_> = [self.container].into_iter().chain(self.sidecars).collect();
        spec["containers"] = json!(containers);
        let mut object = json!({
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": self.metadata,
            "spec": { "template": { "metadata": self.revision, "spec": spec } },
        });
        if let Some(traffic) = self.traffic {
            object["spec"]["traffic"] = traffic;
        }
        serde_json::from_value(object).context("not a Service")
    }
}

/// Lays `part` over `base`, as a merge patch does; two lists under `env` are joined.
fn merge(base: &mut Value, part: Value) {
    let (Value::Object(base), Value::Object(part)) = (&mut *base, &part) else {
        *base = part;
        return;
    };
    for (name, value) in part {
        match (base.get_mut(name), value) {
            (Some(Value::Array(old)), Value::Array(new)) if name == "env" => {
                old.extend(new.iter().cloned());
            }
            (Some(old @ Value::Object(_)), Value::Object(_)) => merge(old, value.clone()),
            _ => {
                base.insert(name.clone(), value.clone());
            }
        }
    }
}

// === impl Space ===

impl Space {
    /// Applies `subject` and waits until it is Ready.
    pub async fn start(&self, subject: Subject) -> Result<Service> {
        let name = subject.name.clone();
        self.apply(&subject.build()?).await?;
        self.ready(&name, READY).await
    }

    /// The body that `path` of the Service has, which must be answered with 200.
    pub async fn text(&self, service: &Service, path: &str) -> Result<String> {
        let answer = self.ask(service, path).await?;
        ensure!(
            answer.status == 200,
            "{path}: {}: {}",
            answer.status,
            answer.body
        );
        Ok(answer.body)
    }

    /// What the app says about the request `/facts?QUERY`, itself and the files in it.
    pub async fn facts(&self, service: &Service, query: &str) -> Result<Map<String, Value>> {
        let text = self.text(service, &format!("/facts?{query}")).await?;
        serde_json::from_str(&text).with_context(|| format!("not facts: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::merge;
    use serde_json::json;

    #[test]
    fn parts_are_laid_over_each_other() {
        let mut base =
            json!({ "image": "a", "env": [1], "resources": { "limits": 1 }, "args": ["x"] });
        let part = json!({ "env": [2], "resources": { "requests": 2 }, "args": ["y"] });
        merge(&mut base, part);
        let expected = json!({
            "image": "a",
            "env": [1, 2],
            "resources": { "limits": 1, "requests": 2 },
            "args": ["y"],
        });
        assert_eq!(base, expected);
    }
}
