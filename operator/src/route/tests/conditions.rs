//! Contract/control-plane 3.7: conditions, and what a pass leaves alone.

use crds::condition::{Truth, find};
use crds::networking::Ingress;
use crds::route::RouteStatus;
use kube::Resource;
use serde_json::{Value, json};

use super::{World, configuration, latest, revision, world};
use crate::route::status::{Phase, status};

fn text(status: &RouteStatus, name: &str) -> String {
    Truth::of(find(&status.conditions, name)).to_string()
}

fn ingress(observed: i64, status: &str, extra: Value) -> Ingress {
    serde_json::from_value(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
        "metadata": {
            "name": "r", "namespace": "ns", "generation": 2, "annotations": extra,
            "ownerReferences": [{ "apiVersion": "v", "kind": "Route", "name": "r", "uid": "u", "controller": true }],
        },
        "spec": {},
        "status": {
            "observedGeneration": observed,
            "conditions": [{ "type": "Ready", "status": status, "reason": "R", "message": "m" }],
        },
    }))
    .unwrap()
}

const NOT_CONFIGURED: &str = "Unknown IngressNotConfigured: Ingress has not yet been reconciled.";

#[test]
fn ingress_ready_follows_the_ingress() {
    let rolling = json!({ "networking.internal.knative.dev/rollout": json!({ "configurations": [{
        "configurationName": "c", "percent": 100, "stepParams": { "starttime": 1 },
        "revisions": [{ "revisionName": "c-1", "percent": 99 }, { "revisionName": "c-2", "percent": 1 }],
    }] }).to_string() });
    let in_progress =
        "Unknown RolloutInProgress: A gradual rollout of the latest revision(s) is in progress.";
    let rows = [
        ("none yet", None, NOT_CONFIGURED),
        (
            "old generation",
            Some(ingress(1, "True", json!({}))),
            NOT_CONFIGURED,
        ),
        (
            "probing",
            Some(ingress(2, "Unknown", json!({}))),
            "Unknown R: m",
        ),
        ("failed", Some(ingress(2, "False", json!({}))), "False R: m"),
        ("ready", Some(ingress(2, "True", json!({}))), "True"),
        (
            "ready, rolling out",
            Some(ingress(2, "True", rolling.clone())),
            in_progress,
        ),
        (
            "probing, rolling out",
            Some(ingress(1, "True", rolling.clone())),
            in_progress,
        ),
        (
            "failed, rolling out",
            Some(ingress(2, "False", rolling)),
            "False R: m",
        ),
    ];
    for (case, ingress, expected) in rows {
        let mut world = World {
            ingress,
            ..world(latest())
        };
        let duration = ("rollout-duration".to_owned(), "60".to_owned());
        world
            .settings
            .insert("config-network".to_owned(), [duration].into());
        let status = world.status();
        assert_eq!(text(&status, "IngressReady"), expected, "{case}");
        assert_eq!(text(&status, "Ready"), expected, "{case}");
        assert_eq!(
            text(&status, "CertificateProvisioned"),
            "True TLSNotEnabled: external-domain-tls is not enabled"
        );
    }
}

#[test]
fn someone_elses_children_are_in_the_way() {
    let object = |kind: &str| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "r", "namespace": "ns" } });
    let service = serde_json::from_value(object("Service")).unwrap();
    let endpoints = serde_json::from_value(object("Endpoints")).unwrap();
    let mut foreign = ingress(2, "True", json!({}));
    foreign.meta_mut().owner_references = None;
    let mut by_address = ingress(2, "True", json!({}));
    let gateway = json!({ "ingress": [{ "ip": "10.0.0.1" }] });
    by_address.status.as_mut().unwrap().public_load_balancer =
        serde_json::from_value(gateway).unwrap();
    let base = || world(latest());
    let stray = World {
        endpoints: vec![endpoints],
        ..base()
    };
    let needed = World {
        ingress: Some(by_address),
        ..stray.clone()
    };
    let taken = |what: &str| {
        format!("False NotOwned: There is an existing {what} \"r\" that we do not own.")
    };
    for (world, expected) in [
        (
            World {
                services: vec![service],
                ..base()
            },
            taken("placeholder Service"),
        ),
        (needed, taken("placeholder Endpoint")),
        (
            World {
                ingress: Some(foreign),
                ..base()
            },
            taken("Ingress"),
        ),
        // Endpoints that we do not need are nobody's business.
        (stray, NOT_CONFIGURED.to_owned()),
    ] {
        let status = world.status();
        assert_eq!(text(&status, "IngressReady"), expected);
        assert_eq!(text(&status, "AllTrafficAssigned"), "True");
    }
}

#[test]
fn the_annotation_for_plain_http_is_checked() {
    for (value, expected) in [
        ("Redirected", NOT_CONFIGURED),
        ("eNaBled", NOT_CONFIGURED),
        (
            "maybe",
            "False ErrorConfig: incorrect http-protocol annotation: maybe",
        ),
    ] {
        let mut world = world(latest());
        let key = "networking.knative.dev/http-protocol".to_owned();
        world.route.metadata.annotations = Some([(key, value.to_owned())].into());
        assert_eq!(text(&world.status(), "IngressReady"), expected, "{value}");
    }
}

#[test]
fn a_bad_target_freezes_what_is_served() {
    let mut world = World {
        ingress: Some(ingress(2, "True", json!({}))),
        ..world(latest())
    };
    let served = world.status();
    assert_eq!(text(&served, "Ready"), "True");
    world.route.status = Some(served.clone());
    world.route.spec.traffic[0].configuration_name = Some("nobody".to_owned());

    // Same generation as far as we know: only the targets are in question.
    let frozen = world.status();
    assert!(matches!(
        world.plan().map_err(|it| *it),
        Err(Phase::Frozen(..))
    ));
    assert_eq!(frozen.traffic, served.traffic);
    assert_eq!(
        (&frozen.url, &frozen.address),
        (&served.url, &served.address)
    );
    assert_eq!(text(&frozen, "IngressReady"), "True");

    // A new generation: nothing is known of its Ingress, and the URL follows at once.
    world.route.metadata.generation = Some(3);
    let private = (
        "networking.knative.dev/visibility".to_owned(),
        "cluster-local".to_owned(),
    );
    world.route.metadata.labels = Some([private].into());
    let frozen = world.status();
    assert_eq!(text(&frozen, "IngressReady"), NOT_CONFIGURED);
    assert_eq!(frozen.url.as_deref(), Some("http://r.ns.svc.cluster.local"));
    assert_eq!(frozen.traffic, served.traffic);
    assert_eq!(frozen.observed_generation, Some(3));
}

#[test]
fn a_new_route_has_its_url_before_its_traffic() {
    let mut world = world(latest());
    world.configurations = vec![configuration("c", None, "Unknown")];
    let status = world.status();
    assert_eq!(status.url.as_deref(), Some("http://r.ns.example.com"));
    assert!(status.traffic.is_empty());
    assert_eq!(text(&status, "IngressReady"), NOT_CONFIGURED);
}

#[test]
fn a_template_that_makes_no_host_is_the_systems_fault() {
    let mut world = world(latest());
    let template = ("domain-template".to_owned(), "{{.Name}}".to_owned());
    world
        .settings
        .insert("config-network".to_owned(), [template].into());
    let status = world.status();
    assert_eq!(
        text(&status, "AllTrafficAssigned"),
        "False ErrorConfig: invalid domain name \"r\": must be a fully qualified domain name"
    );
}

#[test]
fn a_second_pass_changes_nothing() {
    for world in [
        World {
            ingress: Some(ingress(2, "True", json!({}))),
            ..world(latest())
        },
        World {
            configurations: vec![],
            ..world(latest())
        },
    ] {
        let mut world = world;
        world.route.status = Some(world.status());
        world.now += 100;
        assert_eq!(world.route.status, Some(world.status()));
    }
}

#[test]
fn the_plan_does_not_depend_on_the_order_of_the_stores() {
    let traffic = json!([
        { "revisionName": "c-1", "percent": 50, "tag": "b" },
        { "configurationName": "c", "percent": 50, "tag": "a" },
    ]);
    let mut world = world(traffic);
    let first = world.plan().unwrap().ingress;
    world.revisions.reverse();
    world.revisions.push(revision("neighbour", "False"));
    assert_eq!(world.plan().unwrap().ingress, first);
}

#[test]
fn a_refusal_is_told() {
    let world = world(latest());
    let own = world.plan().unwrap().own;
    let refused = crate::route::status::Blocker::Refused("no".to_owned());
    let status = status(&world.route, &Phase::Blocked(own, refused), world.time());
    assert_eq!(text(&status, "Ready"), "False CreationFailed: no");
}
