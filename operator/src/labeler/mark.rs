//! Which marks a Route wants where (contract/control-plane 2.3).

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::condition::{is_failed, is_ready};
use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use crds::route::{Route, TrafficTarget};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use runtime::kube::owner::controller;
use serde_json::{Value, json};

use super::state::{RoutingState, seconds};

/// What the labeler needs to know of the world: everything that could be marked.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    configurations: Vec<Arc<Configuration>>,
    revisions: Vec<Arc<Revision>>,
}

impl Seen {
    /// Sorted, so that a pass does not depend on the stores' order.
    pub(super) fn new(
        mut configurations: Vec<Arc<Configuration>>,
        mut revisions: Vec<Arc<Revision>>,
    ) -> Self {
        configurations.sort_by_key(|it| it.name_any());
        revisions.sort_by_key(|it| it.name_any());
        Self {
            configurations,
            revisions,
        }
    }
}

/// Merge patches by name of the object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Marks {
    pub(super) configurations: Vec<(String, Value)>,
    pub(super) revisions: Vec<(String, Value)>,
}

/// The patches that bring every mark of `route` up to date at `now`. None for what is right.
pub(super) fn marks(route: &Route, seen: &Seen, now: Timestamp) -> Marks {
    let referred = Referred::by(route, seen);
    let name = route.name_any();
    let may_remove = may_remove(route);
    let mut marks = Marks::default();
    for configuration in &seen.configurations {
        let object = configuration.name_any();
        let routes = configuration.annotations().get(serving::ROUTES);
        let is_referred = referred.configurations.contains(&object);
        let patch = Change::of(&name, routes, is_referred, may_remove).of_configuration();
        marks
            .configurations
            .extend(patch.map(|patch| (object, patch)));
    }
    for revision in &seen.revisions {
        let object = revision.name_any();
        let routes = revision.annotations().get(serving::ROUTES);
        let is_referred = referred.revisions.contains(&object);
        let change = Change::of(&name, routes, is_referred, may_remove);
        let patch = change.of_revision(revision, now);
        marks.revisions.extend(patch.map(|patch| (object, patch)));
    }
    marks
}

/// What a Route refers to, by name.
#[derive(Default)]
struct Referred {
    configurations: BTreeSet<String>,
    revisions: BTreeSet<String>,
}

impl Referred {
    /// A Route that is being deleted refers to nothing.
    fn by(route: &Route, seen: &Seen) -> Self {
        let mut referred = Self::default();
        if route.meta().deletion_timestamp.is_some() {
            return referred;
        }
        let served = route
            .status
            .as_ref()
            .map_or(&[][..], |status| &status.traffic);
        for target in served.iter().chain(&route.spec.traffic) {
            referred.add(target, seen);
        }
        referred
    }

    fn add(&mut self, target: &TrafficTarget, seen: &Seen) {
        let mut configuration = target.configuration_name.clone();
        if let Some(revision) = &target.revision_name {
            self.revisions.insert(revision.clone());
            configuration = configuration.or_else(|| owner_of(revision, seen));
        }
        let Some(configuration) = configuration else {
            return;
        };
        if target.latest_revision == Some(true) {
            // The one that is about to become ready is to have its pods before its traffic.
            let found = seen
                .configurations
                .iter()
                .find(|it| it.name_any() == configuration);
            let status = found.and_then(|it| it.status.as_ref());
            self.revisions
                .extend(status.and_then(|it| it.latest_created_revision_name.clone()));
        }
        self.configurations.insert(configuration);
    }
}

fn owner_of(revision: &str, seen: &Seen) -> Option<String> {
    let revision = seen.revisions.iter().find(|it| it.name_any() == revision)?;
    let owner = controller(revision.meta())?;
    (owner.kind == Configuration::kind(&())).then(|| owner.name.clone())
}

/// Whether the Route has come to an end with its current generation, or is about to go.
fn may_remove(route: &Route) -> bool {
    let generation = route.meta().generation;
    let settled = route.status.as_ref().is_some_and(|it| {
        is_ready(&it.conditions, it.observed_generation, generation)
            || is_failed(&it.conditions, it.observed_generation, generation)
    });
    settled || route.meta().deletion_timestamp.is_some()
}

fn list(routes: Option<&str>) -> BTreeSet<&str> {
    routes
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .collect()
}

/// What happens to the list of Routes on one object.
enum Change<'a> {
    /// Not concerned.
    Nothing,
    /// The Route is in the list and stays.
    Keep,
    /// The Route comes in: the new list.
    Add(BTreeSet<&'a str>),
    /// The Route goes out: the new list.
    Remove(BTreeSet<&'a str>),
}

impl<'a> Change<'a> {
    fn of(name: &'a str, routes: Option<&'a String>, is_referred: bool, may_remove: bool) -> Self {
        let listed = list(routes.map(String::as_str));
        match (is_referred, listed.contains(name)) {
            (true, false) => Self::Add(listed.into_iter().chain([name]).collect()),
            (false, true) if may_remove => {
                Self::Remove(listed.into_iter().filter(|it| *it != name).collect())
            }
            (true, true) => Self::Keep,
            (false, _) => Self::Nothing,
        }
    }

    fn of_configuration(&self) -> Option<Value> {
        match self {
            Self::Nothing | Self::Keep => None,
            Self::Add(list) | Self::Remove(list) => Some(
                json!({ "metadata": { "annotations": { serving::ROUTES: annotation(list) } } }),
            ),
        }
    }

    fn of_revision(&self, revision: &Revision, now: Timestamp) -> Option<Value> {
        let state = revision
            .labels()
            .get(serving::ROUTING_STATE)
            .map(String::as_str);
        let (list, wanted) = match self {
            Self::Nothing => return None,
            Self::Keep => (None, RoutingState::Active),
            Self::Add(list) => (Some(list), RoutingState::Active),
            Self::Remove(list) if list.is_empty() => (Some(list), RoutingState::Reserve),
            Self::Remove(list) => (Some(list), RoutingState::Active),
        };
        let flips = state != Some(wanted.as_str());
        if list.is_none() && !flips {
            return None;
        }
        let mut metadata = json!({ "annotations": {} });
        if let Some(list) = list {
            metadata["annotations"][serving::ROUTES] = annotation(list);
        }
        if flips {
            metadata["annotations"][serving::ROUTING_STATE_MODIFIED] = seconds(now).into();
            metadata["labels"] = json!({ serving::ROUTING_STATE: wanted.as_str() });
        }
        Some(json!({ "metadata": metadata }))
    }
}

/// The list as the annotation has it; null, which deletes it, when nothing is left.
fn annotation(list: &BTreeSet<&str>) -> Value {
    if list.is_empty() {
        return Value::Null;
    }
    list.iter().copied().collect::<Vec<_>>().join(",").into()
}
