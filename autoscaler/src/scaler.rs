//! The one writer of `spec.replicas`.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Client, Resource};
use runtime::kube::apply::ApplyError;
use serde::Deserialize;
use serde_json::json;

use crate::trim::trimmed;

/// Name under which the API server knows us as the writer of fields.
pub const MANAGER: &str = "fermata-autoscaler";

/// As much of a Deployment as we look at.
#[derive(Resource, Clone, Debug, Default, Deserialize)]
#[resource(inherit = "Deployment")]
pub struct RevisionDeployment {
    /// Name, version, label of the revision.
    #[serde(deserialize_with = "trimmed")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: DeploymentSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct DeploymentSpec {
    replicas: Option<i32>,
}

impl RevisionDeployment {
    /// Pods that it asks for; one when it does not say.
    pub fn replicas(&self) -> u32 {
        self.spec
            .replicas
            .map_or(1, |replicas| u32::try_from(replicas).unwrap_or_default())
    }
}

/// Makes `deployment` ask for `replicas` pods, in one call. Cancel-safe: when dropped, the write
/// has happened or it has not.
///
/// # Errors
/// See [`ApplyError`].
pub async fn scale(
    client: &Client,
    namespace: &str,
    deployment: &str,
    replicas: u32,
) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::new("Deployment", deployment, error);
    let operations = json!([{ "op": "add", "path": "/spec/replicas", "value": replicas }]);
    let patch = serde_json::from_value(operations).map(Patch::Json::<()>);
    let patch = patch.map_err(|error| failed(kube::Error::SerdeError(error)))?;
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let api = Api::<Deployment>::namespaced(client.clone(), namespace);
    api.patch_scale(deployment, &params, &patch)
        .await
        .map(|_| ())
        .map_err(failed)
}
