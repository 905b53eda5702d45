//! Which Revision belongs to a template, and which is the newest that can serve.

use std::sync::Arc;

use kube::ResourceExt;

use super::{configuration, revision, revision_of, seen};
use crate::configuration::latest::{Latest, latest, latest_ready, revision_name};

/// The Revision of the current template, in one word.
fn found(latest: &Latest) -> String {
    match latest {
        Latest::There(revision) => revision.name_any(),
        Latest::Missing => "missing".to_owned(),
        Latest::Leaving => "leaving".to_owned(),
        Latest::Taken => "taken".to_owned(),
        Latest::Refused(why) => why.clone(),
    }
}

#[test]
fn the_revision_of_a_template_is_found_by_generation_or_by_name() {
    let foreign = Arc::new(revision_of("other", "c-a", 1, "i", "True"));
    let mut stranger = revision_of("other", "c-00002", 2, "i", "True");
    stranger.metadata.owner_references = None;
    let predecessors = Arc::new(revision_of("old", "c-00002", 2, "i", "True"));
    let mut renamed = revision_of("other", "c-a", 1, "i", "True");
    renamed.metadata.owner_references.as_mut().unwrap()[0].name = "d".to_owned();
    let rows = [
        ("no revision at all", None, vec![], "missing"),
        (
            "one of an older generation",
            None,
            vec![revision("c-00001", 1, "i", "True")],
            "missing",
        ),
        (
            "one of this generation",
            None,
            vec![revision("c-00002", 2, "i", "-")],
            "c-00002",
        ),
        (
            "imported under any name",
            None,
            vec![revision("c-x", 2, "i", "-")],
            "c-x",
        ),
        ("a stranger's", None, vec![Arc::new(stranger)], "taken"),
        ("a deleted namesake's", None, vec![predecessors], "leaving"),
        ("named, none", Some("c-a"), vec![], "missing"),
        (
            "named, none though the generation has one",
            Some("c-a"),
            vec![revision("c-00002", 2, "i", "-")],
            "missing",
        ),
        (
            "named, this generation",
            Some("c-a"),
            vec![revision("c-a", 2, "i", "-")],
            "c-a",
        ),
        (
            "named, this generation, defaults differ",
            Some("c-a"),
            vec![revision("c-a", 2, "j", "-")],
            "c-a",
        ),
        (
            "named, older, equal: a rollback",
            Some("c-a"),
            vec![revision("c-a", 1, "i", "True")],
            "c-a",
        ),
        (
            "named, older, another spec",
            Some("c-a"),
            vec![revision("c-a", 1, "j", "True")],
            "taken",
        ),
        (
            "named, another Configuration's",
            Some("c-a"),
            vec![Arc::new(renamed)],
            "taken",
        ),
        (
            "named, a deleted namesake's",
            Some("c-a"),
            vec![foreign],
            "leaving",
        ),
    ];
    for (case, name, revisions, expected) in rows {
        let configuration = configuration(2, name, "i");
        let seen = seen(&revisions, &revision_name(&configuration));
        assert_eq!(found(&latest(&configuration, &seen)), expected, "{case}");
    }
}

#[test]
fn long_names_are_hashed() {
    let mut long = configuration(3, None, "i");
    long.metadata.name = Some("a".repeat(60));
    assert_eq!(revision_name(&long).len(), 63);
    assert!(revision_name(&long).ends_with("-00003"));
    assert_eq!(revision_name(&configuration(3, None, "i")), "c-00003");
}

#[test]
fn the_newest_ready_revision_wins_and_never_an_older_one_than_before() {
    let r = revision;
    let rows = [
        ("none", None, vec![], None, None),
        (
            "none ready",
            None,
            vec![r("c-00003", 3, "i", "Unknown")],
            None,
            None,
        ),
        (
            "the newest",
            None,
            vec![r("c-00003", 3, "i", "True"), r("c-00002", 2, "i", "True")],
            None,
            Some("c-00003"),
        ),
        (
            "between",
            None,
            vec![
                r("c-00003", 3, "i", "-"),
                r("c-00002", 2, "i", "True"),
                r("c-00001", 1, "i", "True"),
            ],
            Some("c-00001"),
            Some("c-00002"),
        ),
        (
            "failed newest",
            None,
            vec![r("c-00003", 3, "i", "False"), r("c-00002", 2, "i", "True")],
            Some("c-00002"),
            Some("c-00002"),
        ),
        (
            "the one before is not ready any more",
            None,
            vec![
                r("c-00003", 3, "i", "-"),
                r("c-00002", 2, "i", "False"),
                r("c-00001", 1, "i", "True"),
            ],
            Some("c-00002"),
            Some("c-00002"),
        ),
        (
            "the one before is deleted",
            None,
            vec![r("c-00003", 3, "i", "-"), r("c-00001", 1, "i", "True")],
            Some("c-00002"),
            Some("c-00001"),
        ),
        (
            "named goes back",
            Some("c-a"),
            vec![r("c-a", 1, "i", "True"), r("c-b", 2, "j", "True")],
            Some("c-b"),
            Some("c-a"),
        ),
        (
            "named not ready",
            Some("c-a"),
            vec![r("c-a", 3, "i", "-"), r("c-b", 2, "j", "True")],
            Some("c-b"),
            Some("c-b"),
        ),
        (
            "a namesake's does not count",
            None,
            vec![Arc::new(revision_of("old", "c-00002", 2, "i", "True"))],
            None,
            None,
        ),
    ];
    for (case, name, revisions, previous, expected) in rows {
        let configuration = configuration(3, name, "i");
        let seen = seen(&revisions, &revision_name(&configuration));
        let latest = latest(&configuration, &seen);
        let ready = latest_ready(&configuration, &seen, &latest, previous);
        assert_eq!(ready.as_deref(), expected, "{case}");
        let backwards: Vec<_> = revisions.into_iter().rev().collect();
        let seen = super::seen(&backwards, &revision_name(&configuration));
        let again = latest_ready(&configuration, &seen, &latest, previous);
        assert_eq!(again, ready, "{case}, other order");
    }
}

#[test]
fn a_status_of_an_older_spec_is_not_ready() {
    let mut stale = revision_of("u", "c-00003", 3, "i", "True");
    stale.metadata.generation = Some(2);
    let configuration = configuration(3, None, "i");
    let seen = seen(&[Arc::new(stale)], "c-00003");
    let latest = latest(&configuration, &seen);
    assert_eq!(latest_ready(&configuration, &seen, &latest, None), None);
}
