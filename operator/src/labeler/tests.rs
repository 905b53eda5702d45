//! Contract/control-plane 2.3.

#![allow(
    clippy::needless_pass_by_value,
    reason = "json! literals read best as arguments"
)]

use std::sync::Arc;

use crds::configuration::Configuration;
use crds::revision::Revision;
use crds::route::Route;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::mark::{Marks, Seen, marks};

const NOW: i64 = 1_700_000_000;
const NOW_TEXT: &str = "2023-11-14T22:13:20Z";

fn object<K: serde::de::DeserializeOwned>(kind: &str, mut value: Value) -> K {
    value["apiVersion"] = "serving.knative.dev/v1".into();
    value["kind"] = kind.into();
    value["metadata"]["namespace"] = "ns".into();
    serde_json::from_value(value).unwrap()
}

fn configuration(name: &str, routes: Option<&str>, created: &str) -> Arc<Configuration> {
    let annotations = routes.map(|it| json!({ "serving.knative.dev/routes": it }));
    Arc::new(object(
        "Configuration",
        json!({
            "metadata": { "name": name, "annotations": annotations },
            "spec": { "template": { "spec": { "containers": [] } } },
            "status": { "latestCreatedRevisionName": created },
        }),
    ))
}

fn revision(name: &str, routes: Option<&str>, state: Option<&str>) -> Arc<Revision> {
    Arc::new(object(
        "Revision",
        json!({
            "metadata": {
                "name": name,
                "annotations": routes.map(|it| json!({ "serving.knative.dev/routes": it })),
                "labels": state.map(|it| json!({ "serving.knative.dev/routingState": it })),
                "ownerReferences": [{
                    "apiVersion": "serving.knative.dev/v1", "kind": "Configuration", "name": "c",
                    "uid": "u", "controller": true,
                }],
            },
            "spec": { "containers": [] },
        }),
    ))
}

/// Route `r`, whose Ready is that status word.
fn route(ready: &str, spec: Value, served: Value) -> Route {
    object(
        "Route",
        json!({
            "metadata": { "name": "r", "generation": 1 },
            "spec": { "traffic": spec },
            "status": {
                "observedGeneration": 1, "traffic": served,
                "conditions": [{ "type": "Ready", "status": ready }],
            },
        }),
    )
}

fn latest() -> Value {
    json!([{ "configurationName": "c", "latestRevision": true, "percent": 100 }])
}

fn pinned(name: &str) -> Value {
    json!([{ "revisionName": name, "latestRevision": false, "percent": 100 }])
}

fn marked(route: &Route, c: &[Arc<Configuration>], r: &[Arc<Revision>]) -> Marks {
    marks(
        route,
        &Seen::new(c.to_vec(), r.to_vec()),
        Timestamp::from_second(NOW).unwrap(),
    )
}

fn activated(routes: &str) -> Value {
    json!({ "metadata": {
        "annotations": {
            "serving.knative.dev/routes": routes,
            "serving.knative.dev/routingStateModified": NOW_TEXT,
        },
        "labels": { "serving.knative.dev/routingState": "active" },
    } })
}

#[test]
fn what_a_route_refers_to_is_marked_at_once() {
    let route = route(
        "Unknown",
        latest(),
        json!([{ "revisionName": "c-1", "latestRevision": true }]),
    );
    let marks = marked(
        &route,
        &[
            configuration("c", None, "c-2"),
            configuration("d", None, "d-1"),
        ],
        &[
            revision("c-1", None, Some("pending")),
            revision("c-2", Some("z"), None),
            revision("d-1", None, None),
        ],
    );
    let routes = json!({ "metadata": { "annotations": { "serving.knative.dev/routes": "r" } } });
    assert_eq!(marks.configurations, [("c".to_owned(), routes)]);
    // c-2, the newest, is marked before it is ready.
    let expected = [
        ("c-1".to_owned(), activated("r")),
        ("c-2".to_owned(), activated("r,z")),
    ];
    assert_eq!(marks.revisions, expected);
}

#[test]
fn a_pinned_revision_marks_its_configuration_too() {
    let route = route("Unknown", pinned("c-1"), json!([]));
    let marks = marked(
        &route,
        &[configuration("c", None, "c-2")],
        &[revision("c-1", None, None), revision("c-2", None, None)],
    );
    assert_eq!(marks.configurations.len(), 1);
    let names: Vec<_> = marks
        .revisions
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["c-1"]);
}

#[test]
fn marks_that_are_right_are_not_written_again() {
    let route = route("True", pinned("c-1"), pinned("c-1"));
    let all = marked(
        &route,
        &[configuration("c", Some("r"), "c-1")],
        &[revision("c-1", Some("r"), Some("active"))],
    );
    assert_eq!(all, Marks::default());
}

#[test]
fn a_listed_revision_that_is_not_active_becomes_active() {
    let route = route("True", pinned("c-1"), pinned("c-1"));
    let marks = marked(&route, &[], &[revision("c-1", Some("r"), Some("reserve"))]);
    let expected = json!({ "metadata": {
        "annotations": { "serving.knative.dev/routingStateModified": NOW_TEXT },
        "labels": { "serving.knative.dev/routingState": "active" },
    } });
    assert_eq!(marks.revisions, [("c-1".to_owned(), expected)]);
}

#[test]
fn marks_go_only_when_the_route_has_come_to_an_end() {
    let left = json!({ "metadata": {
        "annotations": {
            "serving.knative.dev/routes": null,
            "serving.knative.dev/routingStateModified": NOW_TEXT,
        },
        "labels": { "serving.knative.dev/routingState": "reserve" },
    } });
    for (ready, generation, goes) in [
        ("True", 1, true),
        ("False", 1, true),
        ("Unknown", 1, false),
        ("True", 2, false),
        ("False", 2, false),
    ] {
        let mut route = route(ready, pinned("c-2"), pinned("c-2"));
        route.metadata.generation = Some(generation);
        let marks = marked(
            &route,
            &[],
            &[
                revision("c-1", Some("r"), Some("active")),
                revision("c-2", Some("r"), Some("active")),
            ],
        );
        let expected = if goes {
            vec![("c-1".to_owned(), left.clone())]
        } else {
            vec![]
        };
        assert_eq!(marks.revisions, expected, "{ready} at {generation}");
    }
}

#[test]
fn other_routes_keep_their_marks() {
    let route = route("True", json!([]), json!([]));
    let marks = marked(
        &route,
        &[configuration("c", Some("q,r"), "")],
        &[
            revision("c-1", Some("r,s"), Some("active")),
            revision("c-2", Some("rr"), Some("active")),
        ],
    );
    let list = |routes: &str| json!({ "metadata": { "annotations": { "serving.knative.dev/routes": routes } } });
    assert_eq!(marks.configurations, [("c".to_owned(), list("q"))]);
    assert_eq!(marks.revisions, [("c-1".to_owned(), list("s"))]);
}

#[test]
fn a_route_that_goes_takes_all_its_marks() {
    let mut route = route("Unknown", latest(), pinned("c-1"));
    route.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2023-11-14T22:13:20Z")).unwrap());
    let marks = marked(
        &route,
        &[configuration("c", Some("r"), "c-1")],
        &[revision("c-1", Some("r"), Some("active"))],
    );
    let gone = json!({ "metadata": { "annotations": { "serving.knative.dev/routes": null } } });
    assert_eq!(marks.configurations, [("c".to_owned(), gone)]);
    assert_eq!(
        marks.revisions[0].1["metadata"]["labels"]["serving.knative.dev/routingState"],
        "reserve"
    );
}

#[test]
fn missing_objects_are_no_obstacle() {
    let route = route("False", pinned("nobody"), json!([]));
    assert_eq!(marked(&route, &[], &[]), Marks::default());
}
