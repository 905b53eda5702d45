//! A pod that dies each half minute, without farewell. By turns its processes are killed, and kubelet
//! starts them again, or the pod is deleted at once.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::namespace::Space;
use e2e::process;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::fate::{Death, Subject};
use super::ledger::Ledger;
use super::pods::is_ready;

const PERIOD: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
enum Means {
    Signal,
    Deletion,
}

/// Never ends.
pub(crate) async fn each_half_minute(space: &Space, ledger: &Ledger) {
    let mut periods = interval_at(Instant::now() + PERIOD, PERIOD);
    periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for means in [Means::Signal, Means::Deletion].into_iter().cycle() {
        periods.tick().await;
        let (subject, pod) = match anyone(space).await {
            Ok(chosen) => chosen,
            Err(error) => {
                ledger.event(format!("nobody died: {error:#}"));
                continue;
            }
        };
        let begun = Instant::now();
        // One that went by itself meanwhile is no error.
        let killed = match means {
            Means::Signal => process::kill(&pod).await,
            Means::Deletion => delete(space, &pod).await,
        };
        let death = Death {
            subject,
            begun,
            done: Instant::now(),
        };
        let name = pod.name_any();
        ledger.event(match killed {
            Ok(()) => format!("{name} died ({means:?})"),
            Err(error) => format!("{name} did not die: {error:#}"),
        });
        ledger.death(death);
    }
}

/// Some ready pod.
async fn anyone(space: &Space) -> Result<(Subject, Pod)> {
    let mut all = Vec::new();
    for subject in Subject::ALL {
        let pods = space.pods_of(subject.name()).await?;
        all.extend(pods.into_iter().filter(is_ready).map(|pod| (subject, pod)));
    }
    ensure!(!all.is_empty(), "no pod is ready");
    let chosen = rand::random_range(0..all.len());
    Ok(all.swap_remove(chosen))
}

async fn delete(space: &Space, pod: &Pod) -> Result<()> {
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    space.api::<Pod>().delete(&pod.name_any(), &params).await?;
    Ok(())
}
