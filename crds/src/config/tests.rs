mod autoscaler;
mod deployment;
mod install;
mod network;
mod observability;
mod shipped;

use std::time::Duration;

use super::{Data, Settings, check, name, notes};

fn data(pairs: &[(&str, &str)]) -> Data {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// What holds after a map was read into fresh settings.
fn settings(name: &str, pairs: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    settings
        .update(name, &data(pairs))
        .unwrap_or_else(|error| panic!("{name} {pairs:?}: {error}"));
    settings
}

/// What whoever writes the map reads.
fn fault(name: &str, pairs: &[(&str, &str)]) -> String {
    match check(name, &data(pairs)) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

fn check_faults(name: &str, cases: &[Case<'_>]) {
    for (pairs, text) in cases {
        assert_eq!(fault(name, pairs), *text, "{pairs:?}");
    }
}

/// Pairs of a map, and what is wrong with them.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str);

#[test]
fn defaults_of_revisions_fit_together() {
    check_faults(
        name::DEFAULTS,
        &[
            (
                &[("revision-timeout-seconds", "601")],
                "revision-timeout-seconds (601) cannot be greater than max-revision-timeout-seconds (600)",
            ),
            (&[("revision-timeout-seconds", "0")], ""),
            (
                &[("revision-timeout-seconds", "-1")],
                "revision-timeout-seconds (-1) cannot be negative",
            ),
            (
                &[("revision-response-start-timeout-seconds", "301")],
                "revision-response-start-timeout-seconds (301) cannot be greater than revision-timeout-seconds (300)",
            ),
            (
                &[("revision-idle-timeout-seconds", "301")],
                "revision-idle-timeout-seconds (301) cannot be greater than revision-timeout-seconds (300)",
            ),
            (&[("revision-timeout-seconds", "100")], ""),
            (
                &[("container-concurrency-max-limit", "0")],
                "expected 1 <= 0 <= 2147483647: container-concurrency-max-limit",
            ),
            (
                &[("container-concurrency", "1001")],
                "expected 0 <= 1001 <= 1000: container-concurrency",
            ),
            (
                &[("container-concurrency", "-1")],
                "expected 0 <= -1 <= 1000: container-concurrency",
            ),
            // Then every revision must say its own.
            (&[("allow-container-concurrency-zero", "false")], ""),
            (
                &[("container-name-template", "{{.Name")],
                "failed to parse \"container-name-template\": unclosed action",
            ),
            (
                &[("init-container-name-template", "{{.Domain}}")],
                "failed to parse \"init-container-name-template\": unknown field .Domain: there are .GenerateName, .Name, .Namespace, .UID, .Annotations, .Labels",
            ),
        ],
    );
    assert!(!fault(name::DEFAULTS, &[("revision-cpu-request", "lots")]).is_empty());
    assert!(!fault(name::DEFAULTS, &[("revision-cpu-request", "")]).is_empty());
    let short = settings(name::DEFAULTS, &[("revision-timeout-seconds", "100")]);
    let start = short.defaults.revision_response_start_timeout_seconds;
    assert_eq!(start, 100, "it follows the timeout");
    let negative = settings(name::DEFAULTS, &[("revision-idle-timeout-seconds", "-5")]);
    assert_eq!(negative.defaults.revision_idle_timeout_seconds, 0);
}

#[test]
fn service_links_have_three_states() {
    for (text, expect) in [
        ("true", Some(true)),
        ("FALSE", Some(false)),
        ("default", None),
        ("1", None),
        ("", None),
    ] {
        let read = settings(name::DEFAULTS, &[("enable-service-links", text)]);
        assert_eq!(read.defaults.enable_service_links, expect, "{text}");
    }
    assert_eq!(
        settings(name::DEFAULTS, &[]).defaults.enable_service_links,
        Some(false)
    );
}

#[test]
fn limits_of_old_revisions_can_be_disabled() {
    let read = settings(
        name::GC,
        &[
            ("retain-since-create-time", "disabled"),
            ("retain-since-last-active-time", " 1h "),
            ("max-non-active-revisions", "Disabled"),
            ("min-non-active-revisions", "5000"),
        ],
    );
    assert_eq!(read.gc.retain_since_create_time, None);
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(read.gc.retain_since_last_active_time, hour);
    assert_eq!(read.gc.max_non_active_revisions, None);
    assert_eq!(
        settings(name::GC, &[("max-non-active-revisions", "")]),
        Settings::default()
    );
    check_faults(
        name::GC,
        &[
            (
                &[("retain-since-create-time", "-1s")],
                "failed to parse \"retain-since-create-time\": must be non-negative",
            ),
            (
                &[("min-non-active-revisions", "-1")],
                "min-non-active-revisions must be non-negative, was: -1",
            ),
            (
                &[("min-non-active-revisions", "2000")],
                "min-non-active-revisions(2000) must be <= max-non-active-revisions(1000)",
            ),
            (
                &[("max-non-active-revisions", "-1")],
                "failed to parse \"max-non-active-revisions\": \"-1\" is not a count",
            ),
        ],
    );
}

#[test]
fn flags_are_read_in_any_case_and_unknown_values_leave_the_default() {
    use super::{Flag, SecurePodDefaults};
    let read = settings(
        name::FEATURES,
        &[
            ("multi-container", "disabled"),
            ("kubernetes.podspec-affinity", "ALLOWED"),
            ("kubernetes.podspec-dnspolicy", "yes"),
            ("secure-pod-defaults", "allowrootbounded"),
            ("autodetect-http2", "AllowRootBounded"),
        ],
    )
    .features;
    assert_eq!(read.multi_container, Flag::Disabled);
    assert_eq!(read.kubernetes_podspec_affinity, Flag::Allowed);
    assert_eq!(read.kubernetes_podspec_dnspolicy, Flag::Disabled);
    assert_eq!(
        read.secure_pod_defaults,
        SecurePodDefaults::AllowRootBounded
    );
    assert_eq!(read.autodetect_http2, Flag::Disabled);
}

#[test]
fn leases_that_can_not_be_are_refused() {
    check_faults(
        name::LEADER_ELECTION,
        &[
            (
                &[("buckets", "0")],
                "buckets: value must be between 1 <= 0 <= 10",
            ),
            (
                &[("buckets", "11")],
                "buckets: value must be between 1 <= 11 <= 10",
            ),
            (
                &[("renew-deadline", "60s")],
                "renew-deadline (1m0s) must be shorter than lease-duration (1m0s)",
            ),
            (
                &[("retry-period", "0s")],
                "retry-period (0s) must be positive and shorter than renew-deadline (40s)",
            ),
            (
                &[("lease-duration", "-1s")],
                "lease-duration cannot be negative, was: -1s",
            ),
        ],
    );
}

#[test]
fn levels_are_those_of_the_peer() {
    let read = settings(
        name::LOGGING,
        &[
            ("loglevel.controller", "WARN"),
            ("loglevel.queueproxy", "warning"),
            ("loglevel.activator", ""),
            ("loglevel.", "loud"),
        ],
    )
    .logging;
    let levels = ["controller", "queueproxy", "activator", "other"].map(|part| read.level(part));
    assert_eq!(levels, ["warn", "warn", "info", "info"]);
    let refused = fault(name::LOGGING, &[("loglevel.controller", "loud")]);
    assert!(
        refused
            .starts_with("failed to parse \"loglevel.controller\": \"loud\" is not one of debug, ")
    );
    let broken = settings(name::LOGGING, &[("zap-logger-config", "{")]);
    assert_eq!(broken.logging.zap_logger_config, "");
}

#[test]
fn issuers_keep_what_is_not_named() {
    let read = settings(
        name::CERTMANAGER,
        &[
            ("issuerRef", "name: mine"),
            (
                "clusterLocalIssuerRef",
                "Kind: Issuer\nname: 5\ngroup: ca.example.com",
            ),
            ("systemInternalIssuerRef", ""),
        ],
    )
    .certmanager;
    let parts = |issuer: &super::IssuerRef| {
        [&issuer.kind, &issuer.name, &issuer.group].map(|part| part.clone())
    };
    assert_eq!(parts(&read.issuer_ref), ["ClusterIssuer", "mine", ""]);
    let local = parts(&read.cluster_local_issuer_ref);
    assert_eq!(local, ["Issuer", "5", "ca.example.com"]);
    assert_eq!(read.system_internal_issuer_ref, super::IssuerRef::default());
    for text in ["x", "[]", "["] {
        assert!(
            !fault(name::CERTMANAGER, &[("issuerRef", text)]).is_empty(),
            "{text}"
        );
    }
}

#[test]
fn a_bad_map_changes_nothing() {
    let mut settings = settings(name::GC, &[("min-non-active-revisions", "3")]);
    let before = settings.clone();
    assert!(
        settings
            .update(name::GC, &data(&[("retain-since-create-time", "x")]))
            .is_err()
    );
    assert_eq!(settings, before);
}

#[test]
fn writers_hear_of_what_has_no_effect() {
    for (name, pair, expect) in [
        (name::AUTOSCALER, ("min-scale", "1"), ""),
        (name::AUTOSCALER, ("_example", "x"), ""),
        (
            name::AUTOSCALER,
            ("stable-windw", "x"),
            "stable-windw is not a known key and has no effect: stable-window?",
        ),
        (
            name::AUTOSCALER,
            ("unknown", "x"),
            "unknown is not a known key and has no effect",
        ),
        (
            name::FEATURES,
            ("multi-container", "on"),
            "multi-container has no effect: \"on\" is not one of Enabled, Allowed, Disabled",
        ),
        (
            name::NETWORK,
            ("mesh-compatibility-mode", "x"),
            "mesh-compatibility-mode has no effect: \"x\" is not one of auto, enabled, disabled",
        ),
        (name::NETWORK, ("ingress.class", "x"), ""),
        (
            name::DOMAIN,
            ("a.com", "{selector: {a: b}, type: x}"),
            "a.com: type has no effect: \"x\" is not wildcard",
        ),
        (name::LOGGING, ("loglevel.mine", "info"), ""),
        (
            name::OBSERVABILITY,
            ("profiling.enable", "true"),
            "profiling.enable is not a known key and has no effect",
        ),
        ("config-tracing", ("backend", "x"), ""),
        ("config-mine", ("a", "b"), ""),
    ] {
        assert_eq!(
            notes(name, &data(&[pair])).join("; "),
            expect,
            "{name} {pair:?}"
        );
    }
    let many: Data = (0..50)
        .map(|at| (format!("key-{at}"), String::new()))
        .collect();
    assert_eq!(notes(name::GC, &many).len(), 10);
}
