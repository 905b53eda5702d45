//! Faults on purpose.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;

use crate::namespace::Space;

/// Ends every pod that `selector` picks, without farewell. Fails when there is none.
pub async fn kill_pods(space: &Space, selector: &str) -> Result<()> {
    let pods = space.pods(selector).await?;
    ensure!(
        !pods.is_empty(),
        "no pod with {selector:?} in {}",
        space.name
    );
    for pod in pods {
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::default()
        };
        space.api::<Pod>().delete(&pod.name_any(), &params).await?;
    }
    Ok(())
}
