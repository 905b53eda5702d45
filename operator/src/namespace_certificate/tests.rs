//! Which namespaces get which certificates.

mod stories;

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::certificate::Certificate;
use crds::config::Settings;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::runtime::reflector;
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Plan, Seen, plan};
use super::wake::{of_certificate, of_revision};
use crate::golden::{check, document};

/// A namespace and all around it, as the tests write it down.
#[derive(Clone, Debug, Deserialize)]
struct World {
    namespace: Namespace,
    #[serde(default)]
    certificates: Vec<Certificate>,
    #[serde(default)]
    has_revision: bool,
    #[serde(default)]
    is_system: bool,
    #[serde(default)]
    settings: BTreeMap<String, BTreeMap<String, String>>,
}

impl World {
    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (name, data) in &self.settings {
            settings.update(name, data).unwrap();
        }
        settings
    }

    fn plan(&self) -> Plan {
        let seen = Seen {
            certificates: self.certificates.iter().cloned().map(Arc::new).collect(),
            has_revision: self.has_revision,
            is_system: self.is_system,
        };
        plan(&self.namespace, &seen, &self.settings())
    }

    fn set(mut self, map: &str, key: &str, value: &str) -> Self {
        let data = self.settings.entry(map.to_owned()).or_default();
        data.insert(key.to_owned(), value.to_owned());
        self
    }
}

const EVERY: &str = "matchExpressions: [{key: no, operator: DoesNotExist}]";

fn world() -> World {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "ns", "uid": "u", "labels": { "team": "a" } },
    });
    let world = World {
        namespace: serde_json::from_value(namespace).unwrap(),
        certificates: Vec::new(),
        has_revision: false,
        is_system: false,
        settings: BTreeMap::new(),
    };
    world.set("config-domain", "example.com", "").set(
        "config-network",
        "namespace-wildcard-cert-selector",
        EVERY,
    )
}

fn certificate(name: &str, domain: &str, dns_name: &str, owner: Option<&str>) -> Certificate {
    let owner = owner.map(|uid| {
        json!({ "apiVersion": "v1", "kind": "Namespace", "name": "ns", "uid": uid, "controller": true })
    });
    serde_json::from_value(json!({
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Certificate",
        "metadata": {
            "name": name, "namespace": "ns", "ownerReferences": Vec::from_iter(owner),
            "labels": { "networking.knative.dev/wildcardDomain": domain },
        },
        "spec": { "dnsNames": [dns_name], "secretName": name },
    }))
    .unwrap()
}

fn wanted(plan: &Plan) -> Vec<String> {
    plan.wanted.iter().map(|(it, _)| it.name_any()).collect()
}

fn unwanted(plan: &Plan) -> Vec<String> {
    plan.unwanted.iter().map(|it| it.name_any()).collect()
}

#[test]
fn certificates_are_as_in_the_golden_files() {
    check("namespace_certificate/tests/golden", |world: World| {
        let wanted = world.plan().wanted;
        wanted
            .iter()
            .map(|(certificate, _)| document(certificate))
            .collect()
    });
}

#[test]
fn the_selector_chooses_namespaces() {
    for (selector, expected) in [
        ("", false),
        ("{}", true),
        (EVERY, true),
        ("matchLabels: {team: a}", true),
        ("matchLabels: {team: b}", false),
        (
            "matchExpressions: [{key: team, operator: NotIn, values: [a]}]",
            false,
        ),
        (
            "matchExpressions: [{key: other, operator: NotIn, values: [a]}]",
            true,
        ),
    ] {
        let world = world().set(
            "config-network",
            "namespace-wildcard-cert-selector",
            selector,
        );
        let names: &[&str] = if expected { &["ns.example.com"] } else { &[] };
        assert_eq!(wanted(&world.plan()), names, "{selector:?}");
    }
    let unset = World {
        settings: BTreeMap::new(),
        ..world()
    };
    assert!(wanted(&unset.set("config-domain", "example.com", "").plan()).is_empty());
}

#[test]
fn domains_of_all_routes_and_marked_ones_get_wildcards() {
    let world = world()
        .set("config-domain", "a.com", "{selector: {x: y}}")
        .set(
            "config-domain",
            "b.com",
            "{selector: {x: y}, type: wildcard}",
        );
    assert_eq!(wanted(&world.plan()), ["ns.b.com", "ns.example.com"]);
}

#[test]
fn what_is_not_chosen_any_more_goes_if_it_is_ours() {
    let certificates = vec![
        certificate(
            "ns.example.com",
            "example.com",
            "*.ns.example.com",
            Some("u"),
        ),
        certificate("ns.old.com", "old.com", "*.ns.old.com", Some("u")),
        certificate("theirs", "old.com", "*.theirs.old.com", None),
    ];
    let chosen = World {
        certificates,
        ..world()
    };
    assert_eq!(unwanted(&chosen.plan()), ["ns.old.com"]);
    let unchosen = chosen.set("config-network", "namespace-wildcard-cert-selector", "");
    assert_eq!(unwanted(&unchosen.plan()), ["ns.example.com", "ns.old.com"]);
}

#[test]
fn a_certificate_that_someone_provides_is_enough() {
    let provided = certificate("any", "example.com", "*.ns.example.com", None);
    let world = World {
        certificates: vec![provided],
        ..world()
    };
    let plan = world.plan();
    assert!(wanted(&plan).is_empty() && plan.unwanted.is_empty() && plan.troubles.is_empty());
}

#[test]
fn a_new_template_makes_a_new_certificate() {
    let old = certificate(
        "ns.example.com",
        "example.com",
        "*.ns.example.com",
        Some("u"),
    );
    let world = World {
        certificates: vec![old],
        ..world()
    };
    let world = world.set(
        "config-network",
        "domain-template",
        "{{.Name}}.of-{{.Namespace}}.{{.Domain}}",
    );
    let plan = world.plan();
    assert_eq!(
        (wanted(&plan), unwanted(&plan)),
        (
            vec!["of-ns.example.com".to_owned()],
            vec!["ns.example.com".to_owned()]
        )
    );
}

#[test]
fn a_template_without_a_wildcard_is_told_and_harms_nothing() {
    let there = certificate(
        "ns.example.com",
        "example.com",
        "*.ns.example.com",
        Some("u"),
    );
    let world = World {
        certificates: vec![there],
        ..world()
    };
    let world = world.set(
        "config-network",
        "domain-template",
        "{{.Name}}-{{.Namespace}}.{{.Domain}}",
    );
    let plan = world.plan();
    assert!(wanted(&plan).is_empty() && unwanted(&plan).is_empty());
    assert_eq!(
        plan.troubles[0].to_string(),
        "failed to apply domain template {{.Name}}-{{.Namespace}}.{{.Domain}} to domain example.com and namespace ns: invalid DomainTemplate: *-ns.example.com"
    );
}

#[test]
fn a_name_that_is_taken_is_told() {
    let taken = certificate("ns.example.com", "example.com", "x.ns.example.com", None);
    let plan = World {
        certificates: vec![taken],
        ..world()
    }
    .plan();
    assert!(wanted(&plan).is_empty());
    assert_eq!(
        plan.troubles[0].to_string(),
        "namespace ns does not own Knative Certificate: ns.example.com"
    );
}

#[test]
fn the_system_has_certificates_where_something_could_use_them() {
    for (is_on, has_revision, is_system, expected) in [
        (false, true, true, &[][..]),
        (true, false, false, &[]),
        (true, true, false, &["serving-certs"]),
        (true, false, true, &["routing-serving-certs"]),
        (
            true,
            true,
            true,
            &["serving-certs", "routing-serving-certs"],
        ),
    ] {
        let value = if is_on { "Enabled" } else { "Disabled" };
        let world = World {
            settings: BTreeMap::new(),
            has_revision,
            is_system,
            ..world()
        };
        let world = world.set("config-network", "system-internal-tls", value);
        assert_eq!(wanted(&world.plan()), expected);
    }
}

#[test]
fn a_certificate_that_an_installation_brings_along_is_as_good() {
    let on = World {
        is_system: true,
        ..world()
    };
    let on = on
        .set("config-network", "system-internal-tls", "Enabled")
        .set("config-network", "namespace-wildcard-cert-selector", "");
    let (mut brought, _) = on.plan().wanted.remove(0);
    brought.metadata.owner_references = None;
    let mut other = brought.clone();
    other.spec.dns_names.pop();
    for (certificate, troubles) in [(brought, 0), (other, 1)] {
        let certificates = vec![certificate];
        let plan = World {
            certificates,
            ..on.clone()
        }
        .plan();
        assert_eq!((plan.wanted.len(), plan.troubles.len()), (0, troubles));
    }
}

#[test]
fn certificates_of_the_system_stay_when_the_feature_goes() {
    let on = World {
        has_revision: true,
        ..world()
    };
    let mut there = on
        .set("config-network", "system-internal-tls", "Enabled")
        .plan();
    let (serving, _) = there.wanted.remove(0);
    let off = World {
        certificates: vec![serving],
        ..world()
    };
    assert!(unwanted(&off.plan()).is_empty());
}

#[test]
fn a_namespace_hears_of_its_certificates_and_of_pods_without_one() {
    let wakes = |certificate: &Certificate| of_certificate(certificate).map(|it| it.name);
    let owned = |labels: Value, owner: &str| -> Certificate {
        serde_json::from_value(json!({
            "metadata": {
                "name": "c", "namespace": "ns", "labels": labels,
                "ownerReferences": [{ "apiVersion": "v", "kind": owner, "name": "x", "uid": "u", "controller": true }],
            },
            "spec": { "dnsNames": [], "secretName": "" },
        }))
        .unwrap()
    };
    let wildcard = json!({ "networking.knative.dev/wildcardDomain": "d" });
    assert_eq!(wakes(&owned(json!({}), "Namespace")).as_deref(), Some("ns"));
    assert_eq!(wakes(&owned(wildcard, "Other")).as_deref(), Some("ns"));
    assert_eq!(wakes(&owned(json!({}), "Route")), None);

    let revision = serde_json::from_value(json!({
        "metadata": { "name": "r", "namespace": "ns" }, "spec": { "containers": [] },
    }))
    .unwrap();
    let (store, mut writer) = reflector::store::<Certificate>();
    let on = world()
        .set("config-network", "system-internal-tls", "Enabled")
        .settings();
    let woken = |settings: &Settings| of_revision(&revision, settings, &store).map(|it| it.name);
    assert_eq!(woken(&world().settings()), None);
    assert_eq!(woken(&on).as_deref(), Some("ns"));
    let mut there = owned(json!({}), "Namespace");
    there.metadata.name = Some("serving-certs".to_owned());
    writer.apply_watcher_event(&kube::runtime::watcher::Event::Apply(there));
    assert_eq!(woken(&on), None);
}
