//! Pods that are replaced while they are asked.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;

use crate::load::Prober;
use crate::namespace::Space;
use crate::service::host;
use crate::subject::Subject;
use crate::wait::{Seen, until};

const PERIOD: Duration = Duration::from_millis(10);
/// Fewer probes say nothing.
const PROBES: usize = 400;
/// A pod leaves long before the longest request that it may have had.
const GONE: Duration = Duration::from_secs(30);

/// A Service `name` of two pods with this capacity for bursts, whose pods are deleted one after the other,
/// `rounds` times, while it is asked every 10 ms. Fails if a single request does.
pub async fn replaced(space: &Space, name: &str, capacity: &str, rounds: usize) -> Result<()> {
    let subject = Subject::new(space, name)
        .annotation("autoscaling.knative.dev/min-scale", "2")
        .annotation("autoscaling.knative.dev/max-scale", "2")
        .annotation("autoscaling.knative.dev/target-burst-capacity", capacity);
    let service = space.start(subject).await?;
    let prober = Prober::start(space.cluster.gateway, host(&service)?, PERIOD);
    for _ in 0..rounds {
        each_pod_in_turn(space, name).await?;
    }
    let outcome = prober.stop().await?;
    println!("{}: {name}: {outcome}", space.name);
    ensure!(outcome.requests() >= PROBES, "{outcome}");
    outcome.all_good()
}

/// Deletes every pod, each when the one before is gone and replaced.
async fn each_pod_in_turn(space: &Space, name: &str) -> Result<()> {
    let api = space.api::<Pod>();
    for pod in space.pods_of(name).await? {
        let pod = pod.name_any();
        api.delete(&pod, &DeleteParams::default()).await?;
        until(&format!("{pod} is gone"), GONE, async || {
            Ok(match api.get_opt(&pod).await? {
                Some(_) => Seen::NotYet("it is there".to_owned()),
                None => Seen::Done(()),
            })
        })
        .await?;
        space
            .available(&format!("{name}-00001-deployment"), GONE)
            .await?;
    }
    Ok(())
}
