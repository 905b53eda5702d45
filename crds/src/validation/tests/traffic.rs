use super::super::{validate_route, validate_service};
use super::{object, service, with};
use crate::route::Route;

const NOT_A_KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn of_service(targets: &str) -> String {
    let service = service(&format!(
        "spec: {{template: {{spec: {{containers: [{{image: a/b}}]}}}}, traffic: [{targets}]}}"
    ));
    with("", |ctx| validate_service(&service, None, ctx))
        .errors()
        .to_string()
}

fn of_route(targets: &str) -> String {
    let route: Route = object(&format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Route, metadata: {{name: r}}, spec: {{traffic: [{targets}]}}}}"
    ));
    with("", |ctx| validate_route(&route, None, ctx))
        .errors()
        .to_string()
}

#[test]
fn traffic_of_a_service_is_checked() {
    for (targets, expect) in [
        ("{percent: 100, latestRevision: true}", ""),
        ("{percent: 40, revisionName: a}, {percent: 60}", ""),
        (
            "{percent: 90}",
            "Traffic targets sum to 90, want 100: spec.traffic",
        ),
        ("", "Traffic targets sum to 0, want 100: spec.traffic"),
        (
            "{percent: 101}",
            "Traffic targets sum to 101, want 100: spec.traffic\nexpected 0 <= 101 <= 100: spec.traffic[0].percent",
        ),
        (
            "{percent: -1}, {percent: 101}",
            "expected 0 <= -1 <= 100: spec.traffic[0].percent\nexpected 0 <= 101 <= 100: spec.traffic[1].percent",
        ),
        (
            "{percent: 100, configurationName: c}",
            "must not set the field(s): spec.traffic[0].configurationName",
        ),
        (
            "{percent: 100, configurationName: c, revisionName: 'a b'}",
            "must not set the field(s): spec.traffic[0].configurationName",
        ),
        (
            "{percent: 100, url: x}",
            "must not set the field(s): spec.traffic[0].url",
        ),
        (
            "{percent: 100, tag: a}, {tag: a}, {tag: a}",
            "Multiple definitions for \"a\": spec.traffic[0].tag, spec.traffic[1].tag, spec.traffic[2].tag",
        ),
        (
            "{percent: 100, tag: a}, {tag: a}",
            "Multiple definitions for \"a\": spec.traffic[0].tag, spec.traffic[1].tag",
        ),
        ("{percent: 100, tag: a}, {tag: b}", ""),
        (
            "{percent: 100, revisionName: 'a b'}",
            &format!("invalid key name \"a b\": spec.traffic[0].revisionName\n{NOT_A_KEY}"),
        ),
        (
            "{percent: 100, revisionName: a, latestRevision: true}",
            "may not set revisionName \"a\" when latestRevision is true: spec.traffic[0].latestRevision",
        ),
        (
            "{percent: 100, latestRevision: false}",
            "may not set revisionName \"\" when latestRevision is false: spec.traffic[0].latestRevision",
        ),
        ("{percent: 100, revisionName: a, latestRevision: false}", ""),
    ] {
        assert_eq!(of_service(targets), expect, "{targets}");
    }
    let text = of_service("{percent: 60}, {percent: 40, tag: A_}");
    assert!(text.starts_with("invalid value: not a DNS 1035 label: [a DNS-1035 label"));
    assert!(text.ends_with("]: spec.traffic.tag[1]"));
    let text = of_service("{tag: a, percent: 9223372036854775807}, {percent: 9223372036854775807}");
    assert!(text.starts_with("Traffic targets sum to -2, want 100: spec.traffic"));
}

#[test]
fn traffic_of_a_route_is_checked() {
    for (targets, expect) in [
        ("{percent: 100, configurationName: c}", ""),
        ("{percent: 100, revisionName: r}", ""),
        (
            "{percent: 100}",
            "expected exactly one, got neither: spec.traffic[0].configurationName, spec.traffic[0].revisionName",
        ),
        (
            "{percent: 100, revisionName: r, configurationName: c}",
            "expected exactly one, got both: spec.traffic[0].configurationName, spec.traffic[0].revisionName",
        ),
        (
            "{percent: 100, configurationName: 'a b'}",
            &format!("invalid key name \"a b\": spec.traffic[0].configurationName\n{NOT_A_KEY}"),
        ),
        ("", "Traffic targets sum to 0, want 100: spec.traffic"),
        (
            "{percent: 90, configurationName: c}",
            "Traffic targets sum to 90, want 100: spec.traffic",
        ),
    ] {
        assert_eq!(of_route(targets), expect, "{targets}");
    }
}
