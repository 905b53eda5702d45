//! Whether the Route serves what its spec asks for (contract/control-plane 3.1, step 6).

use crds::configuration::Configuration;
use crds::route::{Route, TrafficTarget};

/// What has to be equal: tag, revision, percent.
type Share<'a> = (&'a str, &'a str, i64);

/// Whether the Route's status shows the traffic that its spec asks for, where the spec's
/// Configuration stands for its latest ready Revision.
pub(super) fn is_migrated(route: &Route, configuration: &Configuration) -> bool {
    let latest = configuration.status.as_ref();
    let latest = latest.and_then(|status| status.latest_ready_revision_name.as_deref());
    let served = route
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.traffic);
    shares(&route.spec.traffic, latest) == shares(served, latest)
}

/// One share per tag and revision, in order of appearance: the Route sums up those that a user
/// wrote twice.
fn shares<'a>(targets: &'a [TrafficTarget], latest: Option<&'a str>) -> Vec<Share<'a>> {
    let mut shares: Vec<Share<'a>> = Vec::new();
    for target in targets {
        let tag = target.tag.as_deref().unwrap_or_default();
        let named = target
            .revision_name
            .as_deref()
            .filter(|name| !name.is_empty());
        let revision = named.or(latest).unwrap_or_default();
        let percent = target.percent.unwrap_or_default();
        match shares
            .iter_mut()
            .find(|share| (share.0, share.1) == (tag, revision))
        {
            Some(share) => share.2 += percent,
            None => shares.push((tag, revision, percent)),
        }
    }
    shares
}
