//! What a Configuration says of itself (contract/control-plane 3.2).

use crds::condition::{READY, Truth, Verdicts, find};
use crds::configuration::{Configuration, ConfigurationStatus};
use crds::revision::Revision;
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use runtime::kube::event::EventKind;

use super::latest::{Latest, Seen, is_revision_ready, latest_ready, revision_name};

/// The status after a pass that found or made `latest`.
pub(super) fn status(
    configuration: &Configuration,
    seen: &Seen,
    latest: &Latest,
    now: Timestamp,
) -> ConfigurationStatus {
    let old = configuration.status.clone().unwrap_or_default();
    let previous = old.latest_ready_revision_name.as_deref();
    let ready = latest_ready(configuration, seen, latest, previous);
    let created = match latest {
        Latest::There(revision) => Some(revision.name_any()),
        Latest::Missing | Latest::Leaving | Latest::Taken | Latest::Refused(_) => {
            old.latest_created_revision_name.clone()
        }
    };
    let verdict = match latest {
        Latest::There(revision) => {
            let is_latest_ready = ready == created;
            follow(revision, is_latest_ready, || carried(configuration, &old))
        }
        Latest::Missing | Latest::Leaving => Truth::unknown("", ""),
        Latest::Taken => refused(&format!(
            "revisions.serving.knative.dev {:?} already exists",
            revision_name(configuration)
        )),
        Latest::Refused(why) => refused(why),
    };
    ConfigurationStatus {
        observed_generation: configuration.meta().generation,
        conditions: Verdicts::only_ready(verdict).merge(&old.conditions, now),
        latest_ready_revision_name: ready,
        latest_created_revision_name: created,
    }
}

/// Ready as the newest Revision has it.
fn follow(revision: &Revision, is_latest_ready: bool, carried: impl FnOnce() -> Truth) -> Truth {
    let conditions = revision
        .status
        .as_ref()
        .map(|status| &status.conditions[..]);
    let truth = Truth::of(conditions.and_then(|conditions| find(conditions, READY)));
    match truth {
        Truth::False(_, message) => Truth::no(
            "RevisionFailed",
            format!(
                "Revision {:?} failed with message: {message}.",
                revision.name_any()
            ),
        ),
        _ if !is_latest_ready => Truth::unknown("", ""),
        _ if is_revision_ready(revision) => Truth::True,
        // It was ready, and is on its way to something else: until that is known, nothing changes.
        Truth::True | Truth::TrueBecause(..) | Truth::Unknown(..) => carried(),
    }
}

fn carried(configuration: &Configuration, old: &ConfigurationStatus) -> Truth {
    if old.observed_generation == configuration.meta().generation {
        Truth::of(find(&old.conditions, READY))
    } else {
        Truth::unknown("", "")
    }
}

fn refused(why: &str) -> Truth {
    Truth::no(
        "RevisionFailed",
        format!("Revision creation failed with message: {why}."),
    )
}

/// An event about a change of status.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Note {
    pub(super) kind: EventKind,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What changed from `old` to `new` that a person should know.
pub(super) fn notes(old: Option<&ConfigurationStatus>, new: &ConfigurationStatus) -> Vec<Note> {
    let ready = |status: &ConfigurationStatus| Truth::of(find(&status.conditions, READY));
    let before = old.map_or(Truth::unknown("", ""), ready);
    let after = ready(new);
    let mut notes = Vec::new();
    let mut note = |kind, reason, message| {
        notes.push(Note {
            kind,
            reason,
            message,
        })
    };
    if after.is_false() && !before.is_false() && new.latest_created_revision_name.is_some() {
        let name = new.latest_created_revision_name.clone().unwrap_or_default();
        if new.latest_created_revision_name == new.latest_ready_revision_name {
            let message = format!("Latest ready revision {name:?} has failed");
            note(EventKind::Warning, "LatestReadyFailed", message);
        } else {
            let message = format!("Latest created revision {name:?} has failed");
            note(EventKind::Warning, "LatestCreatedFailed", message);
        }
    }
    let was = old.and_then(|old| old.latest_ready_revision_name.as_deref());
    if after.is_true() && !before.is_true() && was.is_none() {
        note(
            EventKind::Normal,
            "ConfigurationReady",
            "Configuration becomes ready".to_owned(),
        );
    }
    if let Some(is) = new.latest_ready_revision_name.as_deref()
        && was != Some(is)
    {
        let message = format!("LatestReadyRevisionName updated to {is:?}");
        note(EventKind::Normal, "LatestReadyUpdate", message);
    }
    notes
}
