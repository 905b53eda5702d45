//! Which Revision belongs to the current template, and which is the newest that can serve
//! (contract/control-plane 3.2).

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use crds::condition::is_ready;
use crds::configuration::Configuration;
use crds::name::{self, serving};
use crds::revision::{Revision, RevisionTemplate};
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use runtime::kube::owner::{controller, is_owned_by};

/// How long a name that is taken is left alone.
const TAKEN: Duration = Duration::from_secs(30);
/// How long until something that the API server refused is tried again: what refused it (a quota,
/// another webhook) may change without telling us.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// What a Configuration needs to know of the world.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Revisions labelled with the Configuration, by name.
    pub(super) labelled: Vec<Arc<Revision>>,
    /// The Revision under the name that the current template's Revision has.
    pub(super) named: Option<Arc<Revision>>,
}

impl Seen {
    /// Sorted, so that a pass does not depend on the store's order.
    pub(super) fn new(mut labelled: Vec<Arc<Revision>>, named: Option<Arc<Revision>>) -> Self {
        labelled.sort_by_key(|revision| revision.name_any());
        Self { labelled, named }
    }
}

/// The Revision of the current template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Latest {
    /// It exists.
    There(Arc<Revision>),
    /// It is to be created.
    Missing,
    /// Its name still belongs to a Revision of a deleted Configuration of our name, which the
    /// garbage collector is about to delete.
    Leaving,
    /// Its name belongs to a Revision that is another one.
    Taken,
    /// The API server refuses it, in its words.
    Refused(String),
}

impl Latest {
    /// When to look again. A name that is taken may become free without a change of ours.
    pub(super) fn next(&self) -> Action {
        match self {
            Self::Taken | Self::Leaving => Action::requeue(TAKEN),
            Self::Refused(_) => Action::requeue(REFUSED_AGAIN),
            Self::There(_) | Self::Missing => Action::await_change(),
        }
    }
}

/// Looks for the Revision of the current template.
pub(super) fn latest(configuration: &Configuration, seen: &Seen) -> Latest {
    if byo_name(&configuration.spec.template).is_none() {
        let generation = configuration.meta().generation;
        let is_current = |revision: &&Arc<Revision>| {
            generation_of(revision) == generation && is_ours(configuration, revision)
        };
        if let Some(revision) = seen.labelled.iter().find(is_current) {
            return Latest::There(Arc::clone(revision));
        }
    }
    match &seen.named {
        None => Latest::Missing,
        Some(revision) if is_predecessors(configuration, revision) => Latest::Leaving,
        Some(revision) if is_conflicting(configuration, revision) => Latest::Taken,
        Some(revision) => Latest::There(Arc::clone(revision)),
    }
}

/// Name of the current template's Revision.
pub(super) fn revision_name(configuration: &Configuration) -> String {
    if let Some(name) = byo_name(&configuration.spec.template) {
        return name.to_owned();
    }
    let generation = configuration.meta().generation.unwrap_or_default();
    name::child(&configuration.name_any(), &format!("-{generation:05}"))
}

/// The name that the user has chosen for the template's Revision.
pub(crate) fn byo_name(template: &RevisionTemplate) -> Option<&str> {
    let name = template.metadata.as_ref()?.name.as_deref()?;
    (!name.is_empty()).then_some(name)
}

/// Whether `revision` stands in the way of what the current template asks for. One of ours from an
/// older generation with the same spec does not: that is how a rollback by name works. Neither
/// does one that is about to go with its Configuration, a deleted one of our name.
pub(crate) fn is_conflicting(configuration: &Configuration, revision: &Revision) -> bool {
    let is_current = generation_of(revision) == configuration.meta().generation;
    let is_equal = revision.spec == configuration.spec.template.spec;
    let fits = is_ours(configuration, revision) && (is_current || is_equal);
    !fits && !is_predecessors(configuration, revision)
}

/// The newest Revision that can serve: not older than `previous`, the latest ready one so far,
/// except for the one that the template names. None is ready: `previous` stays.
pub(super) fn latest_ready(
    configuration: &Configuration,
    seen: &Seen,
    latest: &Latest,
    previous: Option<&str>,
) -> Option<String> {
    let named = byo_name(&configuration.spec.template);
    let is_named = |revision: &Revision| Some(revision.name_any().as_str()) == named;
    let of_previous = seen
        .labelled
        .iter()
        .find(|it| Some(it.name_any().as_str()) == previous);
    let oldest = of_previous
        .and_then(|revision| generation_of(revision))
        .unwrap_or(0);
    let newest = configuration.meta().generation.unwrap_or(i64::MAX);
    let is_candidate = |revision: &Revision| {
        is_named(revision)
            || generation_of(revision).is_some_and(|it| (oldest..=newest).contains(&it))
    };

    let current = match latest {
        Latest::There(revision) => Some(revision),
        Latest::Missing | Latest::Leaving | Latest::Taken | Latest::Refused(_) => None,
    };
    let mut candidates: Vec<&Arc<Revision>> = seen
        .labelled
        .iter()
        .filter(|revision| is_ours(configuration, revision) && is_candidate(revision))
        .chain(current)
        .collect();
    candidates.sort_by_key(|it| (!is_named(it), Reverse(generation_of(it)), it.name_any()));
    let ready = candidates
        .into_iter()
        .find(|revision| is_revision_ready(revision));
    ready
        .map(|revision| revision.name_any())
        .or_else(|| previous.map(str::to_owned))
}

/// Whether the Revision can serve, as of its current spec.
pub(super) fn is_revision_ready(revision: &Revision) -> bool {
    let generation = revision.meta().generation;
    revision
        .status
        .as_ref()
        .is_some_and(|it| is_ready(&it.conditions, it.observed_generation, generation))
}

fn generation_of(revision: &Revision) -> Option<i64> {
    revision
        .labels()
        .get(serving::CONFIGURATION_GENERATION)?
        .parse()
        .ok()
}

fn is_ours(configuration: &Configuration, revision: &Revision) -> bool {
    is_owned_by(revision.meta(), configuration.meta().uid.as_deref())
}

/// Whether the owner is a Configuration of our name that is not us.
fn is_predecessors(configuration: &Configuration, revision: &Revision) -> bool {
    let owner = controller(revision.meta());
    !is_ours(configuration, revision)
        && owner.is_some_and(|it| {
            it.kind == Configuration::kind(&()) && it.name == configuration.name_any()
        })
}
