//! How many pods there are, looked at each second.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::Space;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::fate::Subject;
use super::ledger::Ledger;
use super::wave;

const PERIOD: Duration = Duration::from_secs(1);

/// Pods of a Service, of all its revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Leaving ones too.
    pub(crate) there: usize,
    pub(crate) ready: usize,
    pub(crate) wanted: i32,
}

/// Never ends. What can't be counted for a moment is told.
pub(crate) async fn watch(space: &Space, start: Instant, ledger: &Ledger) {
    let mut seconds = interval(PERIOD);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let cycle = wave::cycle(start.elapsed());
        for subject in Subject::ALL {
            match count(space, subject).await {
                Ok(count) => ledger.counted(subject, cycle, count),
                Err(error) => ledger.event(format!("pods not counted: {error:#}")),
            }
        }
    }
}

async fn count(space: &Space, subject: Subject) -> Result<Count> {
    let pods = space.pods_of(subject.name()).await?;
    let ours = format!("{}={}", crds::name::serving::SERVICE, subject.name());
    let ours = ListParams::default().labels(&ours);
    let deployments = space.api::<Deployment>().list(&ours).await?;
    let wanted = deployments
        .iter()
        .filter_map(|deployment| deployment.spec.as_ref()?.replicas);
    Ok(Count {
        there: pods.len(),
        ready: pods.iter().filter(|pod| is_ready(pod)).count(),
        wanted: wanted.sum(),
    })
}

/// Kubelet calls it ready, and it may stay.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    pod.metadata.deletion_timestamp.is_none() && ready.any(|ready| ready.status == "True")
}
