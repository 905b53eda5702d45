//! What a revision needs besides its number of pods: ServerlessService, Metric and status. None
//! of it is urgent; all of it is silent when nothing has changed.

use std::sync::Arc;

use crds::autoscaling::{Metric, MetricStatus, PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{Truth, Verdicts};
use crds::networking::ServerlessService;
use jiff::Timestamp;
use kube::Client;
use runtime::kube::apply::{ApplyError, apply, write_status};
use runtime::kube::owner::is_owned_by;

use crate::scaler::MANAGER;
use crate::sks::{self, Path};
use crate::status::is_news;

use super::pass::{Pass, Seen};

/// What should be stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    path: Option<ServerlessService>,
    metric: Option<Metric>,
    measured: Truth,
    status: PodAutoscalerStatus,
}

/// What is stored, as far as we have seen.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) autoscaler: Arc<PodAutoscaler>,
    pub(super) path: Option<Arc<ServerlessService>>,
    pub(super) metric: Option<Arc<Metric>>,
}

/// Versions of what is stored: while they and the wishes stay, there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Versions([Option<String>; 3]);

impl Wanted {
    pub(super) fn of(seen: &Seen<'_>, pass: &Pass, measured: Truth) -> Self {
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
        Self {
            path,
            metric,
            measured,
            status: pass.status.clone(),
        }
    }
}

impl Wanted {
    /// The same with the status left as it is, if it is only put in other words: those wait for a
    /// tick, and more of them may have gathered by then.
    pub(super) fn without_mere_words(mut self, stored: &Stored) -> Self {
        if let Some(old) = &stored.autoscaler.status
            && !is_news(old, &self.status)
        {
            self.status = old.clone();
        }
        self
    }
}

impl Stored {
    pub(super) fn versions(&self) -> Versions {
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
pub(super) async fn tend(
    client: &Client,
    wanted: &Wanted,
    stored: &Stored,
) -> Result<(), ApplyError> {
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
        let status = metric_status(metric, &wanted.measured, Timestamp::now());
        if metric.status.as_ref() != Some(&status) {
            write_status(client, &**metric, &status).await?;
        }
    }
    if stored.autoscaler.status.as_ref() != Some(&wanted.status) {
        write_status(client, &*stored.autoscaler, &wanted.status).await?;
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
