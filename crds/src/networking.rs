//! Ingress and ServerlessService: the seams between control plane and data plane
//! (contract/control-plane 1.8, contract/data-plane 1.8, 4).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::condition::Condition;

/// What an ingress implementation must do.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "networking.internal.knative.dev",
    version = "v1alpha1",
    kind = "Ingress",
    plural = "ingresses",
    namespaced,
    status = "IngressStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "kingress",
    shortname = "king",
    category = "knative-internal",
    category = "networking",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct IngressSpec {
    /// Certificates of hosts; those without one answer plain HTTP only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<IngressTls>,
    /// Where the requests of each host go, at least one rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<IngressRule>,
    /// What plain HTTP requests get: Enabled answers them, Redirected sends them to https. Default:
    /// Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_option: Option<HttpOption>,
}

impl Ingress {
    /// Hex SHA-256 of spec, namespace and name: what a gateway that serves this very spec answers
    /// to a probe (contract/data-plane 4.2). Metadata and status don't count. Whoever else computes
    /// it writes JSON as Go does: fields in the order of these types, three signs escaped.
    pub fn hash(&self) -> String {
        // A spec is maps, lists and strings: nothing in it can fail to be written as JSON.
        let spec = serde_json::to_string(&self.spec).unwrap_or_default();
        let spec = spec
            .replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e");
        let digest = Sha256::new()
            .chain_update(spec)
            .chain_update(self.metadata.namespace.as_deref().unwrap_or_default())
            .chain_update(self.metadata.name.as_deref().unwrap_or_default())
            .finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// What plain HTTP requests get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpOption {
    /// They are answered; an empty text says so, too.
    #[serde(alias = "")]
    Enabled,
    /// They are sent to https.
    Redirected,
}

/// Certificate of some hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressTls {
    /// Hosts that the certificate is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Secret with certificate and key.
    #[serde(default)]
    pub secret_name: String,
    /// Namespace of the Secret.
    #[serde(default)]
    pub secret_namespace: String,
}

/// Where the requests of some hosts go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressRule {
    /// Names that requests have in their Host header, without port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// From where the hosts answer: ExternalIP, from outside too; ClusterLocal, from inside only.
    /// Default: ExternalIP.
    #[serde(default)]
    pub visibility: Visibility,
    /// Where requests of these hosts go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRule>,
}

/// From where a host answers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Visibility {
    /// From outside; an empty text says so, too.
    #[default]
    #[serde(alias = "")]
    ExternalIP,
    /// From inside the cluster only.
    ClusterLocal,
}

/// Paths of some hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRule {
    /// Where requests with a path and headers go, at least one; the first that fits wins.
    pub paths: Vec<IngressPath>,
}

/// Where requests with a path prefix and headers go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressPath {
    /// What the path of a request starts with. Default: empty, which every path does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Host that the backend sees. Default: that of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite_host: Option<String>,
    /// Headers that a request must have, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderMatch>,
    /// Backends and their shares, at least one; the percentages sum to 100.
    pub splits: Vec<IngressSplit>,
    /// Headers to set, over what the client sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub append_headers: BTreeMap<String, String>,
}

/// What a header must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeaderMatch {
    /// The value that the header must have, exactly.
    pub exact: String,
}

/// One backend and its share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressSplit {
    /// Namespace of the core Service: that of the Ingress.
    pub service_namespace: String,
    /// Core Service that gets the share.
    pub service_name: String,
    /// Port of the core Service: 80, 81 (h2c) or 443.
    #[schemars(schema_with = "crate::schema::int_or_string")]
    pub service_port: IntOrString,
    /// Share in percent, 0 to 100. 0 on the only split means 100.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub percent: i64,
    /// Headers to set, over what the client sent and the path sets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub append_headers: BTreeMap<String, String>,
}

/// How far an ingress implementation is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether every gateway answers with this spec, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Gateway for requests from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_load_balancer: Option<LoadBalancerStatus>,
    /// Gateway for requests from inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_load_balancer: Option<LoadBalancerStatus>,
}

/// Addresses of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoadBalancerStatus {
    /// Addresses of the gateway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<LoadBalancerIngress>,
}

/// One address of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerIngress {
    /// IP address, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Name in public DNS, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Name in the cluster's DNS, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_internal: Option<String>,
    /// Whether it is reached through a mesh only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_only: Option<bool>,
}

/// How the core Services of a revision should stand.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "networking.internal.knative.dev",
    version = "v1alpha1",
    kind = "ServerlessService",
    namespaced,
    status = "ServerlessServiceStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "sks",
    category = "knative-internal",
    category = "networking",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(
        name = "Activators",
        type_ = "integer",
        json_path = ".spec.numActivators"
    ),
    printcolumn(
        name = "ServiceName",
        type_ = "string",
        json_path = ".status.serviceName"
    ),
    printcolumn(
        name = "PrivateServiceName",
        type_ = "string",
        json_path = ".status.privateServiceName"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ServerlessServiceSpec {
    /// Proxy: the public Service leads to activators; Serve: to the revision's own pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SksMode>,
    /// The object that the revision's pods belong to: its Deployment.
    pub object_ref: ObjectRef,
    /// What the app speaks: http1, or h2c, which is HTTP/2 without TLS.
    pub protocol_type: String,
    /// How many activators stand behind the public Service in mode Proxy; 0 is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_activators: Option<i32>,
}

/// Where the public Service leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SksMode {
    /// To activators.
    Proxy,
    /// To the revision's own pods.
    Serve,
}

/// An object of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API version of the object, for example apps/v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the object, for example Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the object, in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How the core Services of a revision stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerlessServiceStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the revision has ready pods, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Core Service in front of the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Core Service of the revision's own pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_service_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::{HttpOption, IngressSpec, Visibility};

    #[test]
    fn an_empty_text_means_the_default() {
        let spec = r#"{"httpOption": "", "rules": [{"visibility": ""}]}"#;
        let spec: IngressSpec = serde_json::from_str(spec).unwrap();
        assert_eq!(spec.http_option, Some(HttpOption::Enabled));
        assert_eq!(spec.rules[0].visibility, Visibility::ExternalIP);
    }
}
