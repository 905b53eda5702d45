//! What Prometheus sees (contract/data-plane 5). The row of a revision is found once: the path of a
//! request makes no labels. Rows become text when somebody asks, and go with their revision.

mod revision;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use runtime::metrics::{Families, OldNames, Rendered, Source};

pub use self::revision::RevisionMetrics;
use crate::revision::{RevisionId, Settings};
use crate::throttle::Throttle;

const PEER: &str = "autoscaler";
/// Under which the rows of revisions are registered.
const ROWS: &str = "fermata_activator_revisions";

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    /// Whether they have their old names, too.
    pub old: OldNames,
    /// Announcements of pods, by what became of them.
    pub announcements: IntCounterVec,
    /// The connection to the autoscaler.
    pub stats: StatsMetrics,
    revisions: Arc<Revisions>,
}

/// The connection to the autoscaler, and what went wrong with it.
#[derive(Clone, Debug)]
pub struct StatsMetrics {
    /// 1 while connected.
    pub reachable: IntGauge,
    /// Failed connections and sends.
    pub errors: IntCounter,
    /// Reports that were not sent because the autoscaler was slow or away.
    pub dropped: IntCounter,
}

/// The revisions that are there.
#[derive(Debug)]
struct Revisions {
    pod: String,
    old: OldNames,
    rows: Mutex<BTreeMap<RevisionId, Arc<RevisionMetrics>>>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers all metrics of the process in `pod`.
    ///
    /// # Errors
    /// When one of them is registered already.
    pub fn new(registry: &Registry, pod: &str) -> Result<Self, prometheus::Error> {
        let old = OldNames::default();
        let revisions = Arc::new(Revisions {
            pod: pod.to_owned(),
            old: old.clone(),
            rows: Mutex::default(),
        });
        Rendered::register(registry, ROWS, Arc::clone(&revisions))?;
        let announcements = IntCounterVec::new(
            Opts::new(
                "fermata_announcements_total",
                "Pods that told that they are ready",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(announcements.clone()))?;
        let stats = StatsMetrics::new()?;
        registry.register(Box::new(stats.reachable.clone()))?;
        registry.register(Box::new(stats.errors.clone()))?;
        registry.register(Box::new(stats.dropped.clone()))?;
        Ok(Self {
            old,
            announcements,
            stats,
            revisions,
        })
    }

    /// The row of a revision, whose requests wait in `line`. What was counted for it goes on, as
    /// long as it belongs to whom it did.
    pub fn revision(
        &self,
        id: &RevisionId,
        settings: &Settings,
        line: &Arc<Throttle>,
    ) -> Arc<RevisionMetrics> {
        let mut rows = self.revisions.rows.lock();
        if let Some(row) = rows.get(id)
            && row.is_of(settings, line)
        {
            return Arc::clone(row);
        }
        let row = RevisionMetrics::new(id.clone(), settings, Arc::clone(line), self.old.clone());
        let row = Arc::new(row);
        rows.insert(id.clone(), Arc::clone(&row));
        row
    }

    /// Stops showing a revision that is gone.
    pub fn forget(&self, id: &RevisionId, metrics: &Arc<RevisionMetrics>) {
        let mut rows = self.revisions.rows.lock();
        if rows.get(id).is_some_and(|row| Arc::ptr_eq(row, metrics)) {
            rows.remove(id);
        }
    }
}

// === impl Revisions ===

impl Source for Revisions {
    fn show(&self, families: &mut Families) {
        let rows: Vec<_> = self.rows.lock().values().cloned().collect();
        for row in rows {
            row.show(families);
            if self.old.shown() {
                row.show_old(families, &self.pod);
            }
        }
    }
}

// === impl StatsMetrics ===

impl StatsMetrics {
    fn new() -> Result<Self, prometheus::Error> {
        let to_autoscaler =
            |name: &str, help: &str| Opts::new(name, help).const_label("peer", PEER);
        Ok(Self {
            reachable: IntGauge::with_opts(to_autoscaler(
                "kn_activator_stats_conn_reachable",
                "Whether statistics reach the autoscaler",
            ))?,
            errors: IntCounter::with_opts(to_autoscaler(
                "kn_activator_stats_conn_errors_total",
                "Failed connections and sends",
            ))?,
            dropped: IntCounter::with_opts(to_autoscaler(
                "fermata_activator_stats_dropped_total",
                "Reports that were not sent because the autoscaler was slow or away",
            ))?,
        })
    }
}

#[cfg(test)]
mod tests;
