//! Faults on purpose.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;

use crate::namespace::Space;

/// How a pod ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is asked to, and has time.
    Asked,
    /// It is killed.
    Killed,
}

/// Ends one pod.
pub async fn end_pod(space: &Space, pod: &str, end: End) -> Result<()> {
    let grace_period_seconds = match end {
        End::Asked => None,
        End::Killed => Some(0),
    };
    let params = DeleteParams {
        grace_period_seconds,
        ..DeleteParams::default()
    };
    space.api::<Pod>().delete(pod, &params).await?;
    Ok(())
}

/// Ends every pod that `selector` picks, without farewell. Fails when there is none.
pub async fn kill_pods(space: &Space, selector: &str) -> Result<()> {
    let pods = space.pods(selector).await?;
    ensure!(
        !pods.is_empty(),
        "no pod with {selector:?} in {}",
        space.name
    );
    for pod in pods {
        end_pod(space, &pod.name_any(), End::Killed).await?;
    }
    Ok(())
}
