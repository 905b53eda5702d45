//! Ingress objects of tests, and what they lead to: core Services before pods of the app in
//! `samples/apps/subject`, made by the test itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::condition::{self, READY, Truth, find};
use crds::networking::Ingress;
use http::header::HOST;
use http::{HeaderMap, Request};
use http_body_util::Full;
use k8s_openapi::api::core::v1::{Pod, Service as CoreService};
use serde_json::{Map, Value, json};

use crate::client::Answer;
use crate::namespace::Space;
use crate::wait::{Seen, until};

/// The class that is ours.
pub const CLASS: &str = "fermata.ingress.networking.knative.dev";
/// How long an Ingress, or a pod, may take. Many tests start their pods at the same time.
const SOON: Duration = Duration::from_secs(60);
/// Port of the core Services.
const PORT: u16 = 80;

/// A share of requests for the Service `name`.
pub fn split(space: &Space, name: &str, percent: i64) -> Value {
    json!({
        "serviceNamespace": space.name, "serviceName": name, "servicePort": PORT,
        "percent": percent,
    })
}

/// The same, which sets a header.
pub fn marked(space: &Space, name: &str, percent: i64, header: &str, value: &str) -> Value {
    let mut split = split(space, name, percent);
    split["appendHeaders"] = json!({ header: value });
    split
}

/// A rule for requests from outside.
pub fn rule(host: &str, paths: &Value) -> Value {
    json!({ "hosts": [host], "visibility": "ExternalIP", "http": { "paths": paths } })
}

/// A host of the namespace.
pub fn host(space: &Space, name: &str) -> String {
    format!("{name}.{}.example.com", space.name)
}

impl Space {
    /// Starts a pod, and a core Service of the same name before it, whose port has the name
    /// `protocol`.
    pub async fn backend(&self, name: &str, protocol: &str) -> Result<()> {
        let pod: Pod = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "labels": { "backend": name } },
            "spec": {
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "app",
                    "image": self.cluster.subject_image(),
                    "env": [{ "name": "RESOURCE", "value": name }],
                    "readinessProbe": {
                        "periodSeconds": 1, "httpGet": { "path": "/", "port": 8080 },
                    },
                }],
            },
        }))?;
        self.apply(&pod).await?;
        self.service_of(name, name, protocol).await?;
        until(&format!("pod {name} is ready"), SOON, async || {
            let pod = self.api::<Pod>().get(name).await?;
            let status = pod.status.unwrap_or_default();
            let mut conditions = status.conditions.iter().flatten();
            Ok(
                match conditions.any(|it| it.type_ == "Ready" && it.status == "True") {
                    true => Seen::Done(()),
                    false => Seen::NotYet(format!("{:?}", status.phase)),
                },
            )
        })
        .await
    }

    /// Another core Service before the pod `backend`.
    pub async fn service_of(&self, name: &str, backend: &str, protocol: &str) -> Result<()> {
        let service: CoreService = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name },
            "spec": {
                "selector": { "backend": backend },
                "ports": [{ "name": protocol, "port": PORT, "targetPort": 8080 }],
            },
        }))?;
        self.apply(&service).await.map(drop)
    }

    /// Applies an Ingress of our class with these rules, and waits until it is Ready.
    pub async fn route(&self, name: &str, rules: &Value) -> Result<Ingress> {
        self.ingress(name, CLASS, &json!({ "rules": rules }))
            .await?;
        self.routed(name).await
    }

    /// Applies an Ingress, of whatever class.
    pub async fn ingress(&self, name: &str, class: &str, spec: &Value) -> Result<Ingress> {
        let ingress: Ingress = serde_json::from_value(json!({
            "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
            "metadata": {
                "name": name,
                "annotations": { "networking.knative.dev/ingress.class": class },
            },
            "spec": spec,
        }))?;
        self.apply(&ingress).await
    }

    /// Waits until an Ingress is Ready at its newest generation.
    pub async fn routed(&self, name: &str) -> Result<Ingress> {
        until(&format!("Ingress {name} Ready"), SOON, async || {
            let ingress = self.api::<Ingress>().get(name).await?;
            let status = ingress.status.clone().unwrap_or_default();
            let generation = ingress.metadata.generation;
            if condition::is_ready(&status.conditions, status.observed_generation, generation) {
                return Ok(Seen::Done(ingress));
            }
            Ok(Seen::NotYet(
                Truth::of(find(&status.conditions, READY)).to_string(),
            ))
        })
        .await
    }

    /// `GET path` of `host` with headers; whatever is answered.
    pub async fn get_with(
        &self,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let mut request = Request::get(path).header(HOST, host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::default())?;
        self.cluster.gateway.send(request).await
    }

    /// What the app behind `host` says about a request with headers.
    pub async fn facts_of(
        &self,
        host: &str,
        headers: &[(&str, &str)],
    ) -> Result<Map<String, Value>> {
        let answer = self.get_with(host, "/facts", headers).await?;
        ensure!(answer.status == 200, "{host}: {answer:?}");
        serde_json::from_str(&answer.body).context("not facts")
    }
}

/// The pod that answered; nothing if it was the front door.
pub fn pod_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-pod")?.to_str().ok()
}

/// The values of a header that the app saw.
pub fn seen<'a>(facts: &'a Map<String, Value>, header: &str) -> Vec<&'a str> {
    let values = facts.get("headers").and_then(|all| all.get(header));
    let values = values.and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).collect()
}
