//! The maps in `config/core/configmaps`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use k8s_openapi::api::core::v1::ConfigMap;

use super::super::{Data, Settings, check, example, keys, name, notes};

const SHIPPED: [&str; 12] = [
    name::AUTOSCALER,
    name::CERTMANAGER,
    name::DEFAULTS,
    name::DEPLOYMENT,
    name::DOMAIN,
    name::FEATURES,
    name::GC,
    name::LEADER_ELECTION,
    name::LOGGING,
    name::NETWORK,
    name::OBSERVABILITY,
    "config-tracing",
];

/// Older spellings that are neither camel case nor told to anybody.
const OLDER: [&str; 4] = [
    "auto-tls",
    "certificate.class",
    "ingress.class",
    "internal-encryption",
];

fn shipped(name: &str) -> ConfigMap {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/core/configmaps");
    let yaml = std::fs::read_to_string(
        folder.join(format!("{}.yaml", name.trim_start_matches("config-"))),
    )
    .unwrap();
    serde_yaml::from_str(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn example_text(name: &str) -> String {
    let mut data = shipped(name).data.unwrap_or_default();
    data.remove(example::KEY).unwrap()
}

fn example_of(name: &str) -> Data {
    let example: Option<BTreeMap<String, String>> =
        serde_yaml::from_str(&example_text(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    example.unwrap_or_default()
}

#[test]
fn they_can_be_read_and_are_found_by_the_webhook() {
    for name in SHIPPED {
        let map = shipped(name);
        assert_eq!(map.metadata.name.as_deref(), Some(name));
        let labels = map.metadata.labels.clone().unwrap_or_default();
        let app = &labels["app.kubernetes.io/name"];
        assert_eq!(app, "knative-serving", "{name}");
        assert!(labels.contains_key("app.kubernetes.io/component"), "{name}");
        let data = map.data.unwrap_or_default();
        check(name, &data).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(notes(name, &data), [""; 0], "{name}");
    }
}

#[test]
fn examples_have_the_checksum_that_they_say() {
    for name in SHIPPED {
        let annotations = shipped(name).metadata.annotations.unwrap_or_default();
        let said = annotations.get(example::CHECKSUM);
        let right = example::checksum(&example_text(name));
        assert_eq!(said, Some(&right), "{name}");
    }
}

#[test]
fn examples_are_valid_settings() {
    for name in SHIPPED {
        let example = example_of(name);
        assert!(!example.is_empty() || name == "config-tracing", "{name}");
        check(name, &example).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(notes(name, &example), [""; 0], "{name}");
    }
}

#[test]
fn examples_explain_every_key() {
    let is_older = |key: &String| key.contains(char::is_uppercase) || OLDER.contains(&key.as_str());
    for name in SHIPPED {
        let (text, example) = (example_text(name), example_of(name));
        let known: BTreeSet<String> = keys(name)
            .into_iter()
            .filter(|key| name == name::CERTMANAGER || !is_older(key))
            .collect();
        for key in &known {
            let explained = match key.strip_suffix('*') {
                Some(prefix) => text.contains(prefix),
                None => example.contains_key(key),
            };
            assert!(explained, "{name}: {key} is not explained");
        }
    }
}

#[test]
fn all_flags_are_there() {
    assert_eq!(keys(name::FEATURES).len(), 33);
}

/// Where the example shows what holds anyway, it must not drift away from the code.
#[test]
fn examples_show_the_defaults() {
    let mut settings = Settings::default();
    for name in [
        name::AUTOSCALER,
        name::CERTMANAGER,
        name::FEATURES,
        name::GC,
        name::LEADER_ELECTION,
        name::NETWORK,
        name::OBSERVABILITY,
    ] {
        settings.update(name, &example_of(name)).unwrap();
    }
    settings.network.namespace_wildcard_cert_selector = None;
    assert_eq!(settings, Settings::default());
}

/// Of these maps only what the text says is unset differs.
#[test]
fn examples_of_resources_differ_in_resources_only() {
    let unset = |key: &str| {
        ["-request", "-limit"].iter().any(|end| key.ends_with(end))
            && key != "queue-sidecar-cpu-request"
    };
    let mut settings = Settings::default();
    for name in [name::DEFAULTS, name::DEPLOYMENT] {
        let mut example = example_of(name);
        example.retain(|key, _| !unset(key) && key != "runtime-class-name");
        settings.update(name, &example).unwrap();
    }
    settings.deployment.queue_sidecar_image.clear();
    assert_eq!(settings, Settings::default());
}

#[test]
fn maps_as_shipped_leave_the_defaults_in_force() {
    let mut settings = Settings::default();
    for name in SHIPPED {
        settings
            .update(name, &shipped(name).data.unwrap_or_default())
            .unwrap();
    }
    settings.deployment.queue_sidecar_image.clear();
    assert_eq!(settings, Settings::default());
}
