//! Shares: how requests for each name fall on Revisions (contract/control-plane 4.1, 4.8).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::revision::{AppProtocol, Revision};
use crds::route::TrafficTarget;
use kube::ResourceExt;

use super::rollout::{ConfigurationRollout, RevisionShare, Rollout, StepParams};
use super::site::{Site, Sites};
use super::target::Target;

/// Part of the requests that one Revision gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) revision: String,
    pub(super) protocol: AppProtocol,
    /// 1 to 100; the shares of a name sum to 100.
    pub(super) percent: i64,
}

/// The shares of every tag; the empty tag is the Route itself.
pub(super) type Shares = BTreeMap<String, Vec<Share>>;

/// The state that a rollout goes to: every Configuration all on its latest ready Revision.
pub(super) fn goal(targets: &[Target]) -> Rollout {
    let mut configurations: Vec<ConfigurationRollout> = Vec::new();
    for (tag, target, percent) in grouped(targets) {
        let Some(configuration) = target.configuration.as_deref().filter(|_| percent > 0) else {
            continue;
        };
        let known = configurations
            .iter_mut()
            .find(|it| it.configuration_name == configuration && it.tag == tag);
        let Some(known) = known else {
            configurations.push(ConfigurationRollout {
                configuration_name: configuration.to_owned(),
                tag: tag.to_owned(),
                percent,
                revisions: vec![RevisionShare {
                    revision_name: target.revision.name_any(),
                    percent,
                }],
                step_params: StepParams::default(),
            });
            continue;
        };
        known.percent += percent;
        for share in &mut known.revisions {
            share.percent += percent;
        }
    }
    configurations
        .sort_by(|a, b| (&a.configuration_name, &a.tag).cmp(&(&b.configuration_name, &b.tag)));
    Rollout { configurations }
}

/// The shares of every name, as far as the rollout is. `revisions` knows the older ones.
pub(super) fn shares(
    targets: &[Target],
    rollout: &Rollout,
    revisions: &BTreeMap<String, Arc<Revision>>,
) -> Shares {
    let mut shares = Shares::new();
    let mut rolled_out = BTreeSet::new();
    for (tag, target, percent) in grouped(targets) {
        let group = shares.entry(tag.to_owned()).or_default();
        let rolling = target
            .configuration
            .as_deref()
            .and_then(|it| rollout.of(it, tag));
        let Some(rolling) = rolling else {
            add(group, &target.revision, percent);
            continue;
        };
        // A Configuration's entries were summed up in the rollout: it counts once.
        if rolled_out.insert((tag, &rolling.configuration_name)) {
            for share in &rolling.revisions {
                let revision = revisions
                    .get(&share.revision_name)
                    .unwrap_or(&target.revision);
                add(group, revision, share.percent);
            }
        }
    }
    for group in shares.values_mut() {
        group.retain(|share| share.percent > 0);
        if let [only] = group.as_mut_slice() {
            only.percent = 100;
        }
    }
    shares
}

fn add(group: &mut Vec<Share>, revision: &Revision, percent: i64) {
    let name = revision.name_any();
    match group.iter_mut().find(|share| share.revision == name) {
        Some(share) => share.percent += percent,
        None => {
            group.push(Share {
                revision: name,
                protocol: revision.spec.protocol(),
                percent,
            });
        }
    }
}

/// Every target in the Route's own group, and every tagged one in its own as well, at 100 %.
fn grouped(targets: &[Target]) -> impl Iterator<Item = (&str, &Target, i64)> {
    targets.iter().flat_map(|target| {
        let own = (!target.tag.is_empty()).then_some((target.tag.as_str(), target, 100));
        [Some(("", target, target.percent)), own]
            .into_iter()
            .flatten()
    })
}

/// What the status says of the traffic: entries in the order of the spec, summed up where tag,
/// Revision and kind of entry are the same. A rollout shows every Revision that has traffic.
pub(super) fn status_traffic(
    targets: &[Target],
    rollout: &Rollout,
    sites: &Sites,
) -> Vec<TrafficTarget> {
    let mut entries: Vec<TrafficTarget> = Vec::new();
    for target in targets {
        let rolling = target
            .configuration
            .as_deref()
            .and_then(|it| rollout.of(it, ""));
        for (revision, percent) in split(target, rolling) {
            let entry = entry(target, revision, percent, sites);
            let same = entries.iter_mut().find(|it| {
                (&it.tag, &it.revision_name, it.latest_revision)
                    == (&entry.tag, &entry.revision_name, entry.latest_revision)
            });
            match same {
                Some(same) => same.percent = Some(same.percent.unwrap_or_default() + percent),
                None => entries.push(entry),
            }
        }
    }
    entries
}

fn entry(target: &Target, revision: String, percent: i64, sites: &Sites) -> TrafficTarget {
    let tag = Some(target.tag.clone()).filter(|tag| !tag.is_empty());
    TrafficTarget {
        url: tag.as_ref().and_then(|tag| sites.get(tag)).map(Site::url),
        tag,
        revision_name: Some(revision),
        configuration_name: None,
        latest_revision: Some(target.configuration.is_some()),
        percent: Some(percent),
    }
}

/// A target's percents by Revision, oldest first, in the proportion of the rollout; what rounding
/// leaves goes to the newest.
fn split(target: &Target, rolling: Option<&ConfigurationRollout>) -> Vec<(String, i64)> {
    let newest = target.revision.name_any();
    let older = rolling.map_or(&[][..], |it| {
        it.revisions.split_last().map_or(&[][..], |it| it.1)
    });
    let whole = rolling.map_or(100, |it| it.percent.max(1));
    let scaled = |share: &RevisionShare| share.percent * target.percent / whole;
    let mut parts: Vec<(String, i64)> = older
        .iter()
        .map(|share| (share.revision_name.clone(), scaled(share)))
        .filter(|(_, percent)| *percent > 0)
        .collect();
    let rest = target.percent - parts.iter().map(|(_, percent)| percent).sum::<i64>();
    parts.push((newest, rest));
    parts
}
