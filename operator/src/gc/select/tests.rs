use super::surplus;
use crds::config::GcConfig;
use crds::configuration::{Configuration, ConfigurationStatus};
use crds::revision::Revision;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const NOW: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A revision that was created and let go of that many seconds ago.
fn revision(name: &str, state: &str, created: i64, active: i64) -> Arc<Revision> {
    Arc::new(
        serde_json::from_value(json!({
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Revision",
            "metadata": {
                "name": name,
                "creationTimestamp": at(NOW - created).to_string(),
                "labels": { "serving.knative.dev/routingState": state },
                "annotations": {
                    "serving.knative.dev/routingStateModified": at(NOW - active).to_string(),
                },
            },
            "spec": { "containers": [] },
        }))
        .unwrap(),
    )
}

fn configuration(latest_ready: &str) -> Configuration {
    let latest_ready_revision_name = Some(latest_ready.to_owned());
    let status = ConfigurationStatus {
        latest_ready_revision_name,
        ..Default::default()
    };
    Configuration {
        status: Some(status),
        ..Configuration::default()
    }
}

fn config(create: Option<u64>, active: Option<u64>, min: usize, max: Option<usize>) -> GcConfig {
    GcConfig {
        retain_since_create_time: create.map(Duration::from_secs),
        retain_since_last_active_time: active.map(Duration::from_secs),
        min_non_active_revisions: min,
        max_non_active_revisions: max,
    }
}

fn check(revisions: &[Arc<Revision>], config: &GcConfig, wanted: &[&str]) {
    let gone = surplus(&configuration("latest"), revisions, config, at(NOW));
    let names: Vec<_> = gone
        .iter()
        .map(|r| r.metadata.name.as_deref().unwrap())
        .collect();
    assert_eq!(names, wanted, "{config:?}");
}

#[test]
fn a_replaced_revision_goes_when_nothing_is_to_be_kept() {
    let revisions = [
        revision("old", "reserve", 9, 5),
        revision("latest", "active", 4, 4),
    ];
    check(&revisions, &config(None, None, 0, Some(0)), &["old"]);
}

#[test]
fn what_is_in_use_stays_however_old() {
    let mut kept = revision("kept", "reserve", 900, 900);
    let annotations = Arc::get_mut(&mut kept)
        .unwrap()
        .metadata
        .annotations
        .as_mut()
        .unwrap();
    annotations.insert("serving.knative.dev/no-gc".to_owned(), "true".to_owned());
    let revisions = [
        kept,
        revision("active", "active", 900, 900),
        revision("pending", "pending", 900, 900),
        revision("latest", "reserve", 900, 900),
        revision("old", "reserve", 900, 900),
    ];
    check(&revisions, &config(Some(1), Some(1), 0, Some(0)), &["old"]);
}

#[test]
fn both_times_must_be_over() {
    let revisions = [
        revision("both", "reserve", 100, 100),
        revision("just-created", "reserve", 5, 100),
        revision("just-active", "reserve", 100, 5),
    ];
    check(&revisions, &config(Some(10), Some(10), 0, None), &["both"]);
    check(
        &revisions,
        &config(Some(10), None, 0, None),
        &["both", "just-active"],
    );
    check(&revisions, &config(None, None, 0, None), &[]);
}

#[test]
fn the_least_number_stays_and_the_one_idle_for_longest_goes_first() {
    let revisions = [
        revision("c", "reserve", 100, 70),
        revision("a", "reserve", 100, 90),
        revision("b", "reserve", 100, 80),
    ];
    let stale = |min, max| config(Some(10), Some(10), min, max);
    check(&revisions, &stale(0, None), &["a", "b", "c"]);
    check(&revisions, &stale(2, None), &["a"]);
    check(&revisions, &stale(3, None), &[]);
    check(
        &revisions,
        &config(Some(999), None, 0, Some(1)),
        &["a", "b"],
    );
}

#[test]
fn the_answer_does_not_depend_on_the_order_and_a_second_run_finds_nothing() {
    let mut revisions: Vec<_> = (0..8)
        .map(|i| revision(&format!("r{i}"), "reserve", 100, 50 + i % 3))
        .collect();
    let config = config(Some(10), None, 2, Some(3));
    let first = surplus(&configuration("latest"), &revisions, &config, at(NOW));
    revisions.reverse();
    let second = surplus(&configuration("latest"), &revisions, &config, at(NOW));
    assert_eq!(first, second);
    revisions.retain(|revision| !first.contains(revision));
    assert_eq!(revisions.len(), 2);
    assert!(surplus(&configuration("latest"), &revisions, &config, at(NOW)).is_empty());
}
