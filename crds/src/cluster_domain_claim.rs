//! ClusterDomainClaim: which namespace may map a domain (contract/control-plane 2.12, 3.8).

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The namespace that may map the domain that the claim is named after.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "networking.internal.knative.dev",
    version = "v1alpha1",
    kind = "ClusterDomainClaim",
    derive = "PartialEq",
    derive = "Default",
    shortname = "cdc",
    category = "knative-internal",
    category = "networking"
)]
pub struct ClusterDomainClaimSpec {
    /// Namespace whose DomainMapping may have the domain.
    pub namespace: String,
}
