//! What a revision needs besides its number of pods: ServerlessService, Metric and status. None
//! of it is urgent; all of it is silent when nothing has changed.

use std::sync::Arc;

use crds::autoscaling::{Metric, MetricStatus, PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{Truth, Verdicts};
use crds::networking::{ServerlessService, SksMode};
use jiff::Timestamp;
use kube::Client;
use runtime::kube::apply::{ApplyError, apply, write_status};
use runtime::kube::owner::is_owned_by;

use crate::rules::Rules;
use crate::scaler::MANAGER;
use crate::sks::{self, Path};
use crate::status::{is_news, is_young_start};

use super::pass::{Pass, Seen};
use super::tender::Occasion;

/// Work to do, and why.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) grounds: Grounds,
    pub(super) wanted: Wanted,
    pub(super) stored: Stored,
}

/// All that decides about what should be stored, and what is: while it stays, there is nothing to do.
/// Kept instead of the objects themselves, which are ten times as large.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grounds {
    versions: Versions,
    rules: Rules,
    mode: SksMode,
    activators: i32,
    measured: Truth,
    status: PodAutoscalerStatus,
}

/// The objects that should be stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    path: Option<ServerlessService>,
    metric: Option<Metric>,
}

/// What is stored, as far as we have seen.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) autoscaler: Arc<PodAutoscaler>,
    pub(super) path: Option<Arc<ServerlessService>>,
    pub(super) metric: Option<Arc<Metric>>,
}

/// Versions of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Versions([Option<String>; 3]);

impl Grounds {
    pub(super) fn of(
        seen: &Seen<'_>,
        pass: &Pass,
        (measured, status): (Truth, PodAutoscalerStatus),
        stored: &Stored,
    ) -> Self {
        Self {
            versions: stored.versions(),
            rules: seen.rules.clone(),
            mode: pass.mode,
            activators: pass.activators,
            measured,
            status,
        }
    }
}

impl Wanted {
    /// The objects that follow from the grounds.
    pub(super) fn of(seen: &Seen<'_>, pass: &Pass) -> Self {
        let path = match seen.path {
            Path::Foreign(_) => None,
            Path::Unbuilt | Path::Built { .. } => {
                Some(sks::wanted(seen.autoscaler, pass.mode, pass.activators))
            }
        };
        let metric = match seen.path {
            Path::Unbuilt | Path::Foreign(_) => None,
            Path::Built { private, .. } => {
                Some(sks::wanted_metric(seen.autoscaler, seen.rules, private))
            }
        };
        Self { path, metric }
    }
}

impl Stored {
    /// `status`, or the stored one while that is enough: a start is told when it turns out to be slow, and
    /// mere words wait for a tick, when more of them may have gathered.
    pub(super) fn worth_telling(
        &self,
        status: &PodAutoscalerStatus,
        occasion: Occasion,
        now: Timestamp,
    ) -> PodAutoscalerStatus {
        let enough = |stored: &&PodAutoscalerStatus| {
            is_young_start(stored, status, now)
                || occasion == Occasion::Event && !is_news(stored, status)
        };
        let stored = self.autoscaler.status.as_ref();
        stored.filter(enough).unwrap_or(status).clone()
    }

    fn versions(&self) -> Versions {
        Versions([
            self.autoscaler.metadata.resource_version.clone(),
            self.path
                .as_ref()
                .and_then(|path| path.metadata.resource_version.clone()),
            self.metric
                .as_ref()
                .and_then(|metric| metric.metadata.resource_version.clone()),
        ])
    }
}

/// Writes what is wanted and not stored. Safe to run at any time, twice, or half-way.
///
/// # Errors
/// See [`ApplyError`]; what was not reached is written next time.
pub(super) async fn tend(client: &Client, errand: &Errand) -> Result<(), ApplyError> {
    let Errand {
        grounds,
        wanted,
        stored,
    } = errand;
    if let Some(path) = &wanted.path {
        apply(client, MANAGER, path, stored.path.as_deref()).await?;
    }
    let uid = stored.autoscaler.metadata.uid.as_deref();
    let ours = |metric: &Metric| is_owned_by(&metric.metadata, uid);
    // A Metric of that name that is not ours is left alone: nobody depends on it.
    let free = stored.metric.as_deref().is_none_or(ours);
    if let (Some(metric), true) = (&wanted.metric, free) {
        apply(client, MANAGER, metric, stored.metric.as_deref()).await?;
    }
    if let Some(metric) = stored.metric.as_ref().filter(|metric| ours(metric)) {
        let status = metric_status(metric, &grounds.measured, Timestamp::now());
        if metric.status.as_ref() != Some(&status) {
            write_status(client, &**metric, &status).await?;
        }
    }
    if stored.autoscaler.status.as_ref() != Some(&grounds.status) {
        write_status(client, &*stored.autoscaler, &grounds.status).await?;
    }
    Ok(())
}

fn metric_status(metric: &Metric, measured: &Truth, now: Timestamp) -> MetricStatus {
    let before = metric.status.clone().unwrap_or_default();
    MetricStatus {
        observed_generation: metric.metadata.generation,
        conditions: Verdicts::only_ready(measured.clone()).merge(&before.conditions, now),
    }
}
