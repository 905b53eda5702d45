//! Faults on purpose.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;

use tokio::process::Command;

use crate::cluster::source_root;
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

/// Has a part of the embedded cluster stand still, and returns when it runs again, after `time`. It runs
/// again whatever happens to the caller.
pub async fn freeze(part: &str, time: Duration) -> Result<()> {
    let program = source_root().join("e2e/cluster/cluster");
    let mut command = Command::new(program);
    command.args(["freeze", part, &time.as_secs().to_string()]);
    let status = command.status().await.context("cluster can't be run")?;
    ensure!(status.success(), "cluster freeze {part}: {status}");
    Ok(())
}
