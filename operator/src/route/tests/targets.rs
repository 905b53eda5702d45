//! Contract/control-plane 4.1 and the targets of 3.7.

use crds::condition::{Truth, find};
use serde_json::{Value, json};

use super::{World, configuration, latest, revision, world};

fn assigned(world: &World) -> String {
    Truth::of(find(&world.status().conditions, "AllTrafficAssigned")).to_string()
}

#[test]
fn every_bad_target_has_its_reason() {
    let of = |name: &str| json!([{ "revisionName": name, "percent": 100 }]);
    let waiting = configuration("c", None, "Unknown");
    let failed = configuration("c", None, "False");
    let mut theirs = revision("x", "True");
    theirs
        .metadata
        .labels
        .as_mut()
        .unwrap()
        .insert("serving.knative.dev/service".to_owned(), "t".to_owned());
    let mut nobodys = revision("x", "True");
    nobodys.metadata.labels = None;
    let rows: Vec<(Value, Vec<_>, Vec<_>, &str)> = vec![
        (
            latest(),
            vec![waiting.clone()],
            vec![],
            "Unknown RevisionMissing: Configuration \"c\" is waiting for a Revision to become ready.",
        ),
        (
            latest(),
            vec![failed],
            vec![],
            "False RevisionMissing: Configuration \"c\" does not have any ready Revision.",
        ),
        (
            latest(),
            vec![],
            vec![],
            "False ConfigurationMissing: Configuration \"c\" referenced in traffic not found.",
        ),
        (
            latest(),
            vec![configuration("c", Some("c-9"), "True")],
            vec![],
            "False RevisionMissing: Revision \"c-9\" referenced in traffic not found.",
        ),
        (
            of("x"),
            vec![],
            vec![],
            "False RevisionMissing: Revision \"x\" referenced in traffic not found.",
        ),
        (
            of("x"),
            vec![],
            vec![revision("x", "Unknown")],
            "Unknown RevisionMissing: Revision \"x\" is not yet ready.",
        ),
        (
            of("x"),
            vec![],
            vec![revision("x", "False")],
            "False RevisionMissing: Revision \"x\" failed to become ready.",
        ),
        (
            of("x"),
            vec![],
            vec![theirs],
            "False RevisionNotOwned: Revision \"x\" belongs to Service \"t\", not Service \"s\".",
        ),
        (
            of("x"),
            vec![],
            vec![nobodys],
            "False RevisionNotOwned: Revision \"x\" does not belong to Service \"s\".",
        ),
        // A certain failure beats one that may pass.
        (
            json!([{ "configurationName": "c", "percent": 50 }, { "revisionName": "x", "percent": 50 }]),
            vec![waiting],
            vec![],
            "False RevisionMissing: Revision \"x\" referenced in traffic not found.",
        ),
        // The latest ready Revision is served on while it is being changed.
        (
            latest(),
            vec![configuration("c", Some("c-1"), "Unknown")],
            vec![revision("c-1", "Unknown")],
            "True",
        ),
    ];
    for (traffic, configurations, revisions, expected) in rows {
        let world = World {
            configurations,
            revisions,
            ..world(traffic)
        };
        assert_eq!(assigned(&world), expected);
    }
}

#[test]
fn a_route_of_nobody_may_use_any_revision() {
    let mut world = world(json!([{ "revisionName": "x", "percent": 100 }]));
    world.route.metadata.owner_references = None;
    let mut theirs = revision("x", "True");
    theirs.metadata.labels = None;
    world.revisions = vec![theirs];
    assert_eq!(assigned(&world), "True");
}

/// Splits of the first path of the first rule of each name, as `name: revision=percent …`.
fn splits(world: &World) -> Vec<String> {
    let plan = world.plan().unwrap();
    let rules = plan
        .ingress
        .spec
        .rules
        .iter()
        .filter(|rule| rule.hosts.len() == 3);
    rules
        .map(|rule| {
            let splits = &rule.http.as_ref().unwrap().paths[0].splits;
            let shares: Vec<_> = splits
                .iter()
                .map(|it| format!("{}={}", it.service_name, it.percent))
                .collect();
            format!("{}: {}", rule.hosts[0], shares.join(" "))
        })
        .collect()
}

/// The status' traffic, as `tag revision percent latest url`.
fn served(world: &World) -> Vec<String> {
    let traffic = world.status().traffic;
    traffic
        .iter()
        .map(|it| {
            assert_eq!(it.configuration_name, None);
            let text = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
            let (tag, revision, url) = (text(&it.tag), text(&it.revision_name), text(&it.url));
            let latest = it.latest_revision.unwrap();
            format!("{tag} {revision} {} {latest} {url}", it.percent.unwrap())
        })
        .collect()
}

#[test]
fn traffic_falls_on_revisions_as_the_spec_says() {
    let c1 = |percent: Value, tag: Value| json!({ "revisionName": "c-1", "latestRevision": false, "percent": percent, "tag": tag });
    let new = |percent: Value, tag: Value| json!({ "configurationName": "c", "latestRevision": true, "percent": percent, "tag": tag });
    let rows: Vec<(Value, &[&str], &[&str])> = vec![
        (latest(), &["r.ns: c-2=100"], &["- c-2 100 true -"]),
        (
            json!([c1(json!(40), Value::Null), new(json!(60), Value::Null)]),
            &["r.ns: c-1=40 c-2=60"],
            &["- c-1 40 false -", "- c-2 60 true -"],
        ),
        (
            json!([
                c1(json!(100), json!("current")),
                new(Value::Null, json!("latest"))
            ]),
            &[
                "r.ns: c-1=100",
                "current-r.ns: c-1=100",
                "latest-r.ns: c-2=100",
            ],
            &[
                "current c-1 100 false http://current-r.ns.example.com",
                "latest c-2 0 true http://latest-r.ns.example.com",
            ],
        ),
        // The same Revision by name and as the latest: one share, two entries.
        (
            json!([
                { "revisionName": "c-2", "latestRevision": false, "percent": 50 },
                new(json!(50), Value::Null),
            ]),
            &["r.ns: c-2=100"],
            &["- c-2 50 false -", "- c-2 50 true -"],
        ),
        // Equal entries are one.
        (
            json!([
                c1(json!(30), Value::Null),
                c1(json!(30), Value::Null),
                new(json!(40), Value::Null)
            ]),
            &["r.ns: c-1=60 c-2=40"],
            &["- c-1 60 false -", "- c-2 40 true -"],
        ),
        // The latest Revision twice, once with a tag.
        (
            json!([new(json!(50), Value::Null), new(json!(50), json!("t"))]),
            &["r.ns: c-2=100", "t-r.ns: c-2=100"],
            &["- c-2 50 true -", "t c-2 50 true http://t-r.ns.example.com"],
        ),
    ];
    for (traffic, ingress, status) in rows {
        let world = world(traffic);
        assert_eq!(splits(&world), ingress);
        assert_eq!(served(&world), status);
    }
}
