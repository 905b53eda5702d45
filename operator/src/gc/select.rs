//! Which revisions have to go.

use std::sync::Arc;
use std::time::Duration;

use crds::config::GcConfig;
use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use jiff::Timestamp;
use kube::ResourceExt;

/// The revisions to delete, the one that was active longest ago first: those that are stale, as
/// long as the least number stays, then those over the largest number.
pub(super) fn surplus(
    configuration: &Configuration,
    revisions: &[Arc<Revision>],
    config: &GcConfig,
    now: Timestamp,
) -> Vec<Arc<Revision>> {
    if is_off(config) || revisions.len() <= config.min_non_active_revisions {
        return Vec::new();
    }
    let mut idle: Vec<_> = revisions
        .iter()
        .filter(|revision| !is_in_use(configuration, revision))
        .cloned()
        .collect();
    idle.sort_by_cached_key(|revision| (last_active(revision), revision.name_any()));
    let removable = idle.len().saturating_sub(config.min_non_active_revisions);
    let stale = idle
        .iter()
        .filter(|revision| is_stale(revision, config, now));
    let mut surplus: Vec<_> = stale.take(removable).cloned().collect();
    idle.retain(|revision| !surplus.iter().any(|gone| Arc::ptr_eq(gone, revision)));
    let most = config.max_non_active_revisions.unwrap_or(usize::MAX);
    surplus.extend(idle.drain(..idle.len().saturating_sub(most)));
    surplus
}

fn is_off(config: &GcConfig) -> bool {
    config.max_non_active_revisions.is_none()
        && config.retain_since_create_time.is_none()
        && config.retain_since_last_active_time.is_none()
}

/// Whether the revision must stay, however old: it is the one that new traffic goes to, somebody
/// keeps it, or no route has let go of it yet.
fn is_in_use(configuration: &Configuration, revision: &Revision) -> bool {
    let latest = configuration
        .status
        .as_ref()
        .and_then(|s| s.latest_ready_revision_name.as_ref());
    let is_latest = latest.is_some() && latest == revision.metadata.name.as_ref();
    let is_kept = revision
        .annotations()
        .get(serving::NO_GC)
        .is_some_and(|value| value == "true");
    let state = revision
        .labels()
        .get(serving::ROUTING_STATE)
        .map(String::as_str);
    is_latest || is_kept || state != Some("reserve")
}

/// When a route let go of the revision; its birth where that is not known.
fn last_active(revision: &Revision) -> Option<Timestamp> {
    let modified = revision.annotations().get(serving::ROUTING_STATE_MODIFIED);
    modified
        .and_then(|text| text.parse().ok())
        .or_else(|| created(revision))
}

fn created(revision: &Revision) -> Option<Timestamp> {
    revision
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0)
}

/// Whether every time limit that is set has passed. Without any, nothing is stale.
fn is_stale(revision: &Revision, config: &GcConfig, now: Timestamp) -> bool {
    let limits = [
        (config.retain_since_create_time, created(revision)),
        (config.retain_since_last_active_time, last_active(revision)),
    ];
    let mut set = limits
        .into_iter()
        .filter_map(|(limit, since)| Some((limit?, since)))
        .peekable();
    set.peek().is_some() && set.all(|(limit, since)| is_over(limit, since, now))
}

fn is_over(limit: Duration, since: Option<Timestamp>, now: Timestamp) -> bool {
    let age = since.map(|since| now.duration_since(since));
    age.and_then(|age| Duration::try_from(age).ok())
        .is_some_and(|age| age >= limit)
}

#[cfg(test)]
mod tests;
