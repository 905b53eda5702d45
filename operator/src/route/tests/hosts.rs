//! Contract/control-plane 4.2 to 4.4.

use std::collections::BTreeMap;

use serde_json::json;

use super::{latest, naming, world};
use crate::route::site::{name_of, site};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// URL and address of a Route with those labels under those settings.
fn urls(
    labels: &[(&str, &str)],
    settings: &[(&str, &[(&str, &str)])],
) -> Result<(String, String), String> {
    let mut world = world(latest());
    world.route.metadata.labels = Some(map(labels));
    world.settings = settings
        .iter()
        .map(|(name, data)| ((*name).to_owned(), map(data)))
        .collect();
    let settings = world.settings();
    let site = site(&world.route, "r".to_owned(), false, naming(&settings));
    site.map(|it| (it.url(), it.local_url()))
        .map_err(|error| error.to_string())
}

const LOCAL: &str = "http://r.ns.svc.cluster.local";

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Case, labels, config maps, URL.
type Row<'a> = (&'a str, Pairs<'a>, &'a [(&'a str, Pairs<'a>)], &'a str);

#[test]
fn the_url_follows_labels_domains_and_templates() {
    let private = ("networking.knative.dev/visibility", "cluster-local");
    let by_label: &[(&str, &str)] = &[
        ("example.com", ""),
        ("shop.io", "selector:\n  app: shop\n"),
        ("a.blue.io", "selector:\n  app: shop\n  team: blue\n"),
        ("b.blue.io", "selector:\n  app: shop\n  team: blue\n"),
    ];
    let no_default: &[(&str, &str)] = &[("shop.io", "selector:\n  app: shop\n")];
    let template: &[(&str, &str)] = &[(
        "domain-template",
        "{{.Name}}-{{.Namespace}}-{{index .Labels \"app\"}}.{{.Domain}}",
    )];
    let choice: &[(&str, &str)] = &[(
        "domain-template",
        "{{- if eq .Namespace \"ns\" -}} {{.Name}}.{{or (index .Annotations \"sub\") \"www\"}} {{- end -}}.{{.Domain}}",
    )];
    let rows: [Row<'_>; 11] = [
        ("default", &[], &[], "http://r.ns.example.com"),
        ("private", &[private], &[], LOCAL),
        (
            "another visibility",
            &[("networking.knative.dev/visibility", "x")],
            &[],
            "http://r.ns.example.com",
        ),
        (
            "no label of a domain",
            &[("app", "x")],
            &[("config-domain", by_label)],
            "http://r.ns.example.com",
        ),
        (
            "one label of a domain",
            &[("app", "shop")],
            &[("config-domain", by_label)],
            "http://r.ns.shop.io",
        ),
        (
            "most labels, first by name",
            &[("app", "shop"), ("team", "blue")],
            &[("config-domain", by_label)],
            "http://r.ns.a.blue.io",
        ),
        (
            "no domain for everybody",
            &[],
            &[("config-domain", no_default)],
            LOCAL,
        ),
        (
            "the cluster's own domain",
            &[],
            &[("config-domain", &[("svc.cluster.local", "")])],
            LOCAL,
        ),
        (
            "https",
            &[],
            &[("config-network", &[("default-external-scheme", "https")])],
            "https://r.ns.example.com",
        ),
        (
            "template",
            &[("app", "shop")],
            &[("config-network", template)],
            "http://r-ns-shop.example.com",
        ),
        (
            "template with a choice",
            &[],
            &[("config-network", choice)],
            "http://r.www.example.com",
        ),
    ];
    for (case, labels, settings, url) in rows {
        assert_eq!(
            urls(labels, settings),
            Ok((url.to_owned(), LOCAL.to_owned())),
            "{case}"
        );
    }
}

#[test]
fn https_is_for_the_outside_only() {
    let private = [("networking.knative.dev/visibility", "cluster-local")];
    let https: &[(&str, &str)] = &[("default-external-scheme", "https")];
    let (url, _) = urls(&private, &[("config-network", https)]).unwrap();
    assert_eq!(url, LOCAL);
}

#[test]
fn a_template_that_makes_no_host_is_an_error() {
    let network: &[(&str, &str)] = &[("domain-template", "{{.Name}}")];
    let error = "invalid domain name \"r\": must be a fully qualified domain name";
    assert_eq!(
        urls(&[], &[("config-network", network)]),
        Err(error.to_owned())
    );
}

#[test]
fn a_tag_is_part_of_the_name() {
    let mut world = world(latest());
    let name = |world: &super::World| name_of(&world.route, "blue", naming(&world.settings()));
    assert_eq!(name(&world), Ok("blue-r".to_owned()));
    let template = map(&[("tag-template", "{{.Name}}-{{.Tag}}")]);
    world.settings.insert("config-network".to_owned(), template);
    assert_eq!(name(&world), Ok("r-blue".to_owned()));
}

#[test]
fn a_label_on_its_placeholder_hides_one_tag_only() {
    let mut world = world(json!([
        { "configurationName": "c", "latestRevision": true, "percent": 100 },
        { "revisionName": "c-1", "tag": "blue" },
        { "revisionName": "c-1", "tag": "green" },
    ]));
    let placeholder = |visibility: &str| {
        serde_json::from_value(json!({ "metadata": {
            "name": "blue-r", "namespace": "ns",
            "labels": { "networking.knative.dev/visibility": visibility },
            "ownerReferences": [{ "apiVersion": "v", "kind": "Route", "name": "r", "uid": "u", "controller": true }],
        } }))
        .unwrap()
    };
    for (visibility, is_hidden) in [("cluster-local", true), ("anything", true), ("", false)] {
        world.services = vec![placeholder(visibility)];
        let plan = world.plan().unwrap();
        let is_public = |tag: &str| plan.sites[tag].public.is_some();
        assert_eq!(
            (is_public(""), is_public("blue"), is_public("green")),
            (true, !is_hidden, true)
        );
    }
}
