//! The status of a Revision (contract/control-plane 3.3).

use crds::revision::{Revision, RevisionStatus};
use jiff::Timestamp;
use kube::ResourceExt;

use super::digests::{Digests, Images};
use super::gather::Seen;
use super::verdict::Verdict;

const UID: &str = "${REVISION_UID}";

/// The status to store. Conditions that did not change keep their time. Images stand there once
/// all of them are known.
pub(super) fn status(
    revision: &Revision,
    verdict: &Verdict,
    seen: &Seen,
    log_template: &str,
    now: Timestamp,
) -> RevisionStatus {
    let old = revision.status.as_ref();
    let conditions = old.map(|old| old.conditions.as_slice()).unwrap_or_default();
    let scaled = seen
        .autoscaler
        .ours()
        .and_then(|autoscaler| autoscaler.status.as_ref());
    let digests = match &seen.images {
        Images::Known(digests) => digests.clone(),
        Images::Resolving | Images::Missing { .. } => Digests::default(),
    };
    let known = |scale: Option<i32>| scale.filter(|scale| *scale >= 0);
    let log_url = log_template.replace(UID, &revision.uid().unwrap_or_default());
    RevisionStatus {
        observed_generation: revision.metadata.generation,
        conditions: verdict.conditions().merge(conditions, now),
        log_url: (!log_url.is_empty()).then_some(log_url),
        container_statuses: digests.containers,
        init_container_statuses: digests.init_containers,
        actual_replicas: scaled.and_then(|status| known(status.actual_scale)),
        desired_replicas: scaled.and_then(|status| known(status.desired_scale)),
    }
}
