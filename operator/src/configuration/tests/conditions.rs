//! Contract/control-plane 3.2, line by line.

use crds::condition::{Truth, find};
use crds::configuration::ConfigurationStatus;
use runtime::kube::event::EventKind;

use super::{at, configuration, revision, seen};
use crate::configuration::latest::{Latest, latest};
use crate::configuration::status::{notes, status};

fn ready(status: &ConfigurationStatus) -> String {
    Truth::of(find(&status.conditions, "Ready")).to_string()
}

const FAILED: &str = "False RevisionFailed: Revision \"c-00002\" failed with message: m.";

#[test]
fn ready_follows_the_newest_revision() {
    let old = || revision("c-00001", 1, "i", "True");
    let rows = [
        (
            "created",
            vec![revision("c-00002", 2, "i", "-")],
            None,
            "Unknown",
            None,
        ),
        (
            "created, old one serves",
            vec![old(), revision("c-00002", 2, "i", "Unknown")],
            Some("c-00001"),
            "Unknown",
            Some("c-00001"),
        ),
        (
            "failed",
            vec![revision("c-00002", 2, "i", "False")],
            None,
            FAILED,
            None,
        ),
        (
            "failed, old one serves",
            vec![old(), revision("c-00002", 2, "i", "False")],
            Some("c-00001"),
            FAILED,
            Some("c-00001"),
        ),
        (
            "ready",
            vec![old(), revision("c-00002", 2, "i", "True")],
            Some("c-00001"),
            "True",
            Some("c-00002"),
        ),
        (
            "failed after it was ready",
            vec![revision("c-00002", 2, "i", "False")],
            Some("c-00002"),
            FAILED,
            Some("c-00002"),
        ),
    ];
    for (case, revisions, previous, expected, latest_ready) in rows {
        let mut configuration = configuration(2, None, "i");
        configuration.status = previous.map(|previous| ConfigurationStatus {
            observed_generation: Some(1),
            latest_ready_revision_name: Some(previous.to_owned()),
            ..ConfigurationStatus::default()
        });
        let seen = seen(&revisions, "c-00002");
        let new = status(&configuration, &seen, &latest(&configuration, &seen), at(1));
        assert_eq!(ready(&new), expected, "{case}");
        assert_eq!(
            new.latest_created_revision_name.as_deref(),
            Some("c-00002"),
            "{case}"
        );
        assert_eq!(
            new.latest_ready_revision_name.as_deref(),
            latest_ready,
            "{case}"
        );
        assert_eq!(new.observed_generation, Some(2), "{case}");
        configuration.status = Some(new.clone());
        let again = status(&configuration, &seen, &latest(&configuration, &seen), at(9));
        assert_eq!(again, new, "{case}: a second pass changes nothing");
    }
}

#[test]
fn a_revision_that_can_not_be_made_is_told_of() {
    let configuration = configuration(2, None, "i");
    for (latest, expected) in [
        (
            Latest::Taken,
            "False RevisionFailed: Revision creation failed with message: \
             revisions.serving.knative.dev \"c-00002\" already exists.",
        ),
        (
            Latest::Refused("no".to_owned()),
            "False RevisionFailed: Revision creation failed with message: no.",
        ),
        (Latest::Leaving, "Unknown"),
    ] {
        let new = status(&configuration, &seen(&[], "c-00002"), &latest, at(1));
        assert_eq!(ready(&new), expected);
        assert_eq!(new.latest_created_revision_name, None);
    }
}

#[test]
fn a_ready_revision_on_its_way_to_something_else_changes_nothing() {
    let mut configuration = configuration(2, None, "i");
    let good = seen(&[revision("c-00002", 2, "i", "True")], "c-00002");
    configuration.status = Some(status(
        &configuration,
        &good,
        &latest(&configuration, &good),
        at(1),
    ));
    let unknown = seen(&[revision("c-00002", 2, "i", "Unknown")], "c-00002");
    let new = status(
        &configuration,
        &unknown,
        &latest(&configuration, &unknown),
        at(2),
    );
    assert_eq!(ready(&new), "True");
}

#[test]
fn a_rollback_by_name_is_ready_at_once() {
    let mut configuration = configuration(3, Some("c-a"), "i");
    configuration.status = Some(ConfigurationStatus {
        observed_generation: Some(2),
        latest_ready_revision_name: Some("c-b".to_owned()),
        latest_created_revision_name: Some("c-b".to_owned()),
        ..ConfigurationStatus::default()
    });
    let revisions = [
        revision("c-a", 1, "i", "True"),
        revision("c-b", 2, "j", "True"),
    ];
    let seen = seen(&revisions, "c-a");
    let new = status(&configuration, &seen, &latest(&configuration, &seen), at(1));
    assert_eq!(ready(&new), "True");
    assert_eq!(new.latest_ready_revision_name.as_deref(), Some("c-a"));
}

#[test]
fn edges_are_told_as_events_once() {
    let mut configuration = configuration(2, None, "i");
    let mut tell = |word: &str| {
        let seen = seen(&[revision("c-00002", 2, "i", word)], "c-00002");
        let new = status(&configuration, &seen, &latest(&configuration, &seen), at(1));
        let notes = notes(configuration.status.as_ref(), &new);
        configuration.status = Some(new);
        notes
            .into_iter()
            .map(|note| (note.kind, note.reason))
            .collect::<Vec<_>>()
    };
    assert_eq!(tell("Unknown"), []);
    assert_eq!(tell("False"), [(EventKind::Warning, "LatestCreatedFailed")]);
    assert_eq!(tell("False"), []);
    assert_eq!(
        tell("True"),
        [
            (EventKind::Normal, "ConfigurationReady"),
            (EventKind::Normal, "LatestReadyUpdate")
        ]
    );
    assert_eq!(tell("True"), []);
    assert_eq!(tell("False"), [(EventKind::Warning, "LatestReadyFailed")]);
}
