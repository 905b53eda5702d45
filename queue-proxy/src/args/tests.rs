use std::{collections::BTreeMap, time::Duration};

use super::{Args, ArgsError, drain_patience};
use crate::checks::{Check, Checks};

fn environment() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("CONTAINER_CONCURRENCY", "10"),
        ("QUEUE_SERVING_PORT", "8012"),
        ("USER_PORT", "8080"),
        ("REVISION_TIMEOUT_SECONDS", "300"),
        ("SERVING_NAMESPACE", "ns"),
        ("SERVING_CONFIGURATION", "c"),
        ("SERVING_REVISION", "c-00001"),
        ("SERVING_POD", "p"),
    ])
}

fn read(environment: &BTreeMap<&str, &str>) -> Result<Args, ArgsError> {
    Args::read(|name| environment.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn least_environment_is_enough() {
    let args = read(&environment()).unwrap();
    assert_eq!((args.limit, args.user_port), (Some(10), 8080));
    assert_eq!(args.limits.total, Some(Duration::from_secs(300)));
    assert_eq!(args.limits.idle, None);
    assert_eq!(args.checks, Checks::of_port(8080));
    assert!(!args.observability.request_log);
}

#[test]
fn wrong_variable_is_named() {
    let names = [
        "CONTAINER_CONCURRENCY",
        "QUEUE_SERVING_PORT",
        "REVISION_TIMEOUT_SECONDS",
        "SERVING_READINESS_PROBE",
        "OBSERVABILITY_CONFIG",
    ];
    for name in names {
        let mut environment = environment();
        environment.insert(name, "-x");
        let error = read(&environment).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("-x"), "{error}");
    }
}

#[test]
fn missing_variable_is_named() {
    for name in environment().into_keys() {
        let mut environment = environment();
        environment.remove(name);
        assert_eq!(read(&environment).unwrap_err(), ArgsError::Missing(name));
    }
}

#[test]
fn zero_concurrency_is_no_limit() {
    let mut environment = environment();
    environment.insert("CONTAINER_CONCURRENCY", "0");
    assert_eq!(read(&environment).unwrap().limit, None);
}

#[test]
fn probes_come_alone_or_in_an_array() {
    let table = [
        (
            r#"{"tcpSocket":{"port":8081,"host":"127.0.0.1"},"successThreshold":1}"#,
            1,
        ),
        (
            r#"[{"httpGet":{"path":"/","port":8080,"host":"127.0.0.1","scheme":"HTTP"}},
                {"grpc":{"port":90,"service":""},"periodSeconds":1}]"#,
            2,
        ),
        ("[]", 1),
    ];
    for (json, count) in table {
        let mut environment = environment();
        environment.insert("SERVING_READINESS_PROBE", json);
        let checks = read(&environment).unwrap().checks;
        assert_eq!(checks.iter().count(), count, "{json}");
        assert!(checks.iter().all(Check::is_of_this_pod));
    }
}

#[test]
fn observability_is_read_in_the_words_of_the_config_map_and_of_upstream() {
    for json in [
        r#"{"logging.enable-request-log":"true","logging.request-log-template":"x","new":"y"}"#,
        r#"{"enableRequestLog":true,"requestLogTemplate":"x"}"#,
    ] {
        let mut environment = environment();
        environment.insert("OBSERVABILITY_CONFIG", json);
        let observability = read(&environment).unwrap().observability;
        assert!(observability.request_log && !observability.probe_log);
        assert_eq!(observability.template.as_deref(), Some("x"));
    }
}

#[test]
fn drain_leaves_the_app_its_time() {
    for (timeout, patience) in [("300", 285), ("20", 10), ("1", 0)] {
        let mut environment = environment();
        environment.insert("REVISION_TIMEOUT_SECONDS", timeout);
        let limits = read(&environment).unwrap().limits;
        assert_eq!(drain_patience(&limits).as_secs(), patience);
    }
}

#[test]
fn announcing_needs_a_key_and_somebody_to_tell() {
    let key = "ab".repeat(32);
    let cases = [
        (Some("door:8083"), Some(key.as_str()), true),
        (Some("door:8083"), None, false),
        (None, Some(key.as_str()), false),
    ];
    for (to, key, expected) in cases {
        let mut environment = environment();
        environment.extend(to.map(|to| ("FERMATA_ANNOUNCE_TO", to)));
        environment.extend(key.map(|key| ("FERMATA_ANNOUNCEMENT_KEY", key)));
        assert_eq!(read(&environment).unwrap().herald.is_some(), expected);
    }
    let mut environment = environment();
    environment.insert("FERMATA_ANNOUNCEMENT_KEY", "half-a-key");
    let error = read(&environment).unwrap_err().to_string();
    assert!(
        error.contains("(secret)") && !error.contains("half"),
        "{error}"
    );
}
