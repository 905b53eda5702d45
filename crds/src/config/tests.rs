use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::ConfigMap;

use super::{Data, Settings, check, example, name};

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

fn data(pairs: &[(&str, &str)]) -> Data {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn shipped(name: &str) -> ConfigMap {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/core/configmaps");
    let yaml = std::fs::read_to_string(
        folder.join(format!("{}.yaml", name.trim_start_matches("config-"))),
    )
    .unwrap();
    serde_yaml::from_str(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn example_of(name: &str) -> Data {
    let text = shipped(name)
        .data
        .unwrap_or_default()
        .remove(example::KEY)
        .unwrap();
    let example: Option<BTreeMap<String, String>> =
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    example.unwrap_or_default()
}

#[test]
fn shipped_maps_can_be_read_and_found_by_the_webhook() {
    for name in SHIPPED {
        let map = shipped(name);
        assert_eq!(map.metadata.name.as_deref(), Some(name));
        let labels = map.metadata.labels.clone().unwrap_or_default();
        assert_eq!(
            labels["app.kubernetes.io/name"], "knative-serving",
            "{name}"
        );
        assert!(labels.contains_key("app.kubernetes.io/component"), "{name}");
        check(name, &map.data.unwrap_or_default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn shipped_examples_have_the_checksum_that_they_say() {
    for name in SHIPPED {
        let map = shipped(name);
        let text = map.data.unwrap_or_default().remove(example::KEY).unwrap();
        let said = map
            .metadata
            .annotations
            .unwrap_or_default()
            .remove(example::CHECKSUM);
        assert_eq!(said, Some(example::checksum(&text)), "{name}");
    }
}

#[test]
fn shipped_examples_are_valid_settings() {
    for name in SHIPPED {
        let example = example_of(name);
        assert!(!example.is_empty() || name == "config-tracing", "{name}");
        check(name, &example).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Where the example shows what holds anyway, it must not drift away from the code.
#[test]
fn shipped_examples_show_the_defaults() {
    let mut settings = Settings::default();
    for name in [
        name::AUTOSCALER,
        name::FEATURES,
        name::GC,
        name::LEADER_ELECTION,
        name::OBSERVABILITY,
    ] {
        settings.update(name, &example_of(name)).unwrap();
    }
    assert_eq!(settings, Settings::default());
    settings
        .update(name::NETWORK, &example_of(name::NETWORK))
        .unwrap();
    settings.network.namespace_wildcard_cert_selector = None;
    assert_eq!(settings, Settings::default());
}

#[test]
fn shipped_maps_leave_the_defaults_in_force() {
    let mut settings = Settings::default();
    for name in SHIPPED {
        settings
            .update(name, &shipped(name).data.unwrap_or_default())
            .unwrap();
    }
    settings.deployment.queue_sidecar_image.clear();
    assert_eq!(settings, Settings::default());
}

#[test]
fn values_that_can_not_be_are_refused() {
    let image = ("queue-sidecar-image", "x");
    for (name, pairs) in [
        (name::AUTOSCALER, vec![("stable-window", "5s")]),
        (name::AUTOSCALER, vec![("stable-window", "6500ms")]),
        (name::AUTOSCALER, vec![("max-scale-up-rate", "1")]),
        (name::AUTOSCALER, vec![("max-scale-down-rate", "1")]),
        (name::AUTOSCALER, vec![("scale-to-zero-grace-period", "0s")]),
        (name::AUTOSCALER, vec![("target-burst-capacity", "-2")]),
        (name::AUTOSCALER, vec![("activator-capacity", "0.5")]),
        (name::AUTOSCALER, vec![("initial-scale", "0")]),
        (
            name::AUTOSCALER,
            vec![("min-scale", "3"), ("max-scale", "2")],
        ),
        (name::AUTOSCALER, vec![("max-scale-limit", "5")]),
        (
            name::AUTOSCALER,
            vec![("max-scale-limit", "5"), ("max-scale", "6")],
        ),
        (name::AUTOSCALER, vec![("enable-scale-to-zero", "maybe")]),
        (
            name::AUTOSCALER,
            vec![("container-concurrency-target-percentage", "0")],
        ),
        (name::DEFAULTS, vec![("revision-timeout-seconds", "601")]),
        (
            name::DEFAULTS,
            vec![("revision-response-start-timeout-seconds", "301")],
        ),
        (
            name::DEFAULTS,
            vec![("revision-idle-timeout-seconds", "301")],
        ),
        (name::DEFAULTS, vec![("container-concurrency", "1001")]),
        (
            name::DEFAULTS,
            vec![("allow-container-concurrency-zero", "false")],
        ),
        (name::DEFAULTS, vec![("container-name-template", "{{.Name")]),
        (name::DEFAULTS, vec![("revision-cpu-request", "lots")]),
        (name::DEPLOYMENT, vec![]),
        (name::DEPLOYMENT, vec![image, ("progress-deadline", "0s")]),
        (
            name::DEPLOYMENT,
            vec![image, ("progress-deadline", "1500ms")],
        ),
        (
            name::DEPLOYMENT,
            vec![image, ("default-affinity-type", "x")],
        ),
        (name::DEPLOYMENT, vec![image, ("runtime-class-name", "[")]),
        (name::DOMAIN, vec![("a.b", "[")]),
        (name::GC, vec![("retain-since-create-time", "x")]),
        (name::GC, vec![("min-non-active-revisions", "-1")]),
        (name::GC, vec![("min-non-active-revisions", "2000")]),
        (name::NETWORK, vec![("domain-template", "{{if}}")]),
        (name::NETWORK, vec![("rollout-duration", "-1")]),
        (name::NETWORK, vec![("mesh-compatibility-mode", "x")]),
        (name::NETWORK, vec![("default-external-scheme", "ftp")]),
        (name::NETWORK, vec![("external-domain-tls", "x")]),
        (name::OBSERVABILITY, vec![("metrics-protocol", "statsd")]),
        (name::OBSERVABILITY, vec![("metrics-protocol", "grpc")]),
        (name::OBSERVABILITY, vec![("tracing-sampling-rate", "2")]),
        (name::LOGGING, vec![("loglevel.controller", "loud")]),
        (name::LOGGING, vec![("zap-logger-config", "{")]),
    ] {
        assert!(check(name, &data(&pairs)).is_err(), "{name} {pairs:?}");
    }
}

#[test]
fn leases_that_can_not_be_are_refused() {
    for pair in [
        ("buckets", "0"),
        ("buckets", "11"),
        ("renew-deadline", "60s"),
        ("retry-period", "0s"),
    ] {
        assert!(
            check(name::LEADER_ELECTION, &data(&[pair])).is_err(),
            "{pair:?}"
        );
    }
    assert!(check(name::CERTMANAGER, &data(&[("issuerRef", "x")])).is_err());
}

#[test]
fn older_spellings_are_read_and_newer_ones_win() {
    let mut settings = Settings::default();
    let network = [
        ("ingress.class", "old"),
        ("autoTLS", "Enabled"),
        ("unknown", "key"),
    ];
    settings.update(name::NETWORK, &data(&network)).unwrap();
    assert_eq!(settings.network.ingress_class, "old");
    assert!(settings.network.external_domain_tls);
    let both = [("ingress.class", "old"), ("ingress-class", "new")];
    settings.update(name::NETWORK, &data(&both)).unwrap();
    assert_eq!(settings.network.ingress_class, "new");
    let deployment = [("queueSidecarImage", "q"), ("progressDeadline", "9s")];
    settings
        .update(name::DEPLOYMENT, &data(&deployment))
        .unwrap();
    assert_eq!(settings.deployment.progress_deadline.as_secs(), 9);
    let election = [
        ("leaseDuration", "15s"),
        ("renewDeadline", "10s"),
        ("retryPeriod", "2s"),
    ];
    settings
        .update(name::LEADER_ELECTION, &data(&election))
        .unwrap();
    assert_eq!(settings.leader_election.lease_duration.as_secs(), 15);
}

#[test]
fn fractions_are_percentages() {
    let mut settings = Settings::default();
    let pairs = [("container-concurrency-target-percentage", "0.5")];
    settings.update(name::AUTOSCALER, &data(&pairs)).unwrap();
    assert_eq!(
        settings.autoscaler.container_concurrency_target_percentage,
        50.0
    );
}

#[test]
fn the_domain_with_the_most_labels_wins() {
    let mut settings = Settings::default();
    let pairs = [
        ("b.com", ""),
        ("a.com", ""),
        ("x.com", "selector: {app: shop}"),
        ("y.com", "selector: {app: shop, tier: gold}"),
    ];
    settings.update(name::DOMAIN, &data(&pairs)).unwrap();
    for (labels, domain) in [
        (&[][..], "a.com"),
        (&[("app", "shop")], "x.com"),
        (&[("app", "shop"), ("tier", "gold")], "y.com"),
        (&[("app", "other")], "a.com"),
    ] {
        assert_eq!(settings.domain.domain_for(&data(labels)), Some(domain));
    }
    settings
        .update(name::DOMAIN, &data(&[("x.com", "selector: {a: b}")]))
        .unwrap();
    assert_eq!(settings.domain.domain_for(&data(&[])), None);
}

#[test]
fn a_bad_map_changes_nothing() {
    let mut settings = Settings::default();
    settings
        .update(name::GC, &data(&[("min-non-active-revisions", "3")]))
        .unwrap();
    let before = settings.clone();
    assert!(
        settings
            .update(name::GC, &data(&[("retain-since-create-time", "x")]))
            .is_err()
    );
    assert_eq!(settings, before);
}
