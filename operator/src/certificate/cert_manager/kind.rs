//! cert-manager's kinds, as far as we write and read them.

use std::collections::BTreeMap;

use crds::config::IssuerRef;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// An order to cert-manager.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "Certificate",
    root = "CertManagerCertificate",
    plural = "certificates",
    namespaced,
    status = "CertificateStatus",
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertificateSpec {
    pub(super) common_name: String,
    pub(super) dns_names: Vec<String>,
    pub(super) secret_name: String,
    pub(super) issuer_ref: Issuer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret_template: Option<SecretTemplate>,
}

/// Who signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Issuer {
    pub(super) kind: String,
    pub(super) name: String,
    /// Empty for cert-manager's own kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) group: String,
}

/// What the Secret gets besides the certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SecretTemplate {
    pub(super) labels: BTreeMap<String, String>,
}

/// How far cert-manager is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CertificateStatus {
    pub(super) conditions: Vec<Condition>,
    pub(super) not_after: Option<Time>,
    pub(super) renewal_time: Option<Time>,
}

/// One of its conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) type_: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

impl From<&IssuerRef> for Issuer {
    fn from(reference: &IssuerRef) -> Self {
        Self {
            kind: reference.kind.clone(),
            name: reference.name.clone(),
            group: reference.group.clone(),
        }
    }
}
