//! Whether requests come to a Revision (contract/control-plane 2.6).

use crds::autoscaling::Reachability;
use crds::name::serving;
use crds::revision::Revision;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::gather::{ready_replicas, wanted_replicas};
use super::verdict::Verdict;

/// What routes say; but a revision whose pods can't run is out of reach, so that its smallest
/// scale does not keep them failing for ever.
pub(super) fn reachability(
    revision: &Revision,
    deployment: Option<&Deployment>,
    verdict: &Verdict,
) -> Reachability {
    let without_a_pod = deployment.is_some_and(|deployment| {
        wanted_replicas(deployment) > 0 && ready_replicas(deployment) == 0
    });
    if verdict.is_failed() && without_a_pod {
        return Reachability::Unreachable;
    }
    match revision
        .labels()
        .get(serving::ROUTING_STATE)
        .map(String::as_str)
    {
        Some("active") => Reachability::Reachable,
        Some("reserve") => Reachability::Unreachable,
        Some(_) | None => Reachability::Unknown,
    }
}
