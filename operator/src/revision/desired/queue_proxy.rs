//! The sidecar's container (contract/control-plane 2.4, contract/data-plane 3.1).
//!
//! All that it needs comes by environment: a volume would cost every cold start 290 ms
//! (shared/cluster). The optional ones are there only for those who ask for them.

use std::collections::BTreeMap;

use crds::config::Flag;
use crds::name::serving;
use crds::revision::AppProtocol;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, ObjectFieldSelector, Probe,
    SeccompProfile, SecurityContext,
};
use kube::ResourceExt;
use net::contract::{env, name, port};

use super::{Inputs, metadata, observability, pod, readiness, resources, user_container, volume};

const HTTP_FULL_DUPLEX: &str = "features.knative.dev/http-full-duplex";

/// The sidecar.
pub(super) fn queue_proxy(inputs: &Inputs<'_>) -> Container {
    let settings = inputs.settings;
    let mounts = volume::sidecar_mounts(inputs);
    Container {
        name: name::QUEUE_PROXY.to_owned(),
        image: Some(settings.deployment.queue_sidecar_image.clone()),
        ports: Some(ports(inputs)),
        env: Some(environment(inputs)),
        readiness_probe: Some(readiness::of_sidecar(inputs.revision, serving_port(inputs))),
        resources: Some(resources::of_sidecar(inputs)),
        security_context: Some(restricted()),
        volume_mounts: (!mounts.is_empty()).then_some(mounts),
        ..Container::default()
    }
}

/// Port for requests.
fn serving_port(inputs: &Inputs<'_>) -> u16 {
    match inputs.revision.spec.protocol() {
        AppProtocol::Http1 => port::QUEUE_HTTP1,
        AppProtocol::H2c => port::QUEUE_H2C,
    }
}

fn ports(inputs: &Inputs<'_>) -> Vec<ContainerPort> {
    let profiling = inputs.settings.observability.runtime_profiling;
    let profiling = profiling.then_some(("profiling-port", port::PROFILING));
    [
        ("http-autometric", port::METRICS),
        ("http-usermetric", port::USER_METRICS),
    ]
    .into_iter()
    .chain(profiling)
    .chain([
        ("queue-port", serving_port(inputs)),
        ("https-port", port::QUEUE_HTTPS),
    ])
    .map(|(name, port)| ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        ..ContainerPort::default()
    })
    .collect()
}

/// Passes the Pod Security Standard `restricted`.
fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..SecurityContext::default()
    }
}

fn environment(inputs: &Inputs<'_>) -> Vec<EnvVar> {
    let plain = identity(inputs)
        .into_iter()
        .chain(requests(inputs))
        .chain(system(inputs))
        .chain(announcing(inputs));
    let values = plain.map(|(name, value)| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    });
    values.chain(fields()).collect()
}

fn identity(inputs: &Inputs<'_>) -> [(&'static str, String); 4] {
    let revision = inputs.revision;
    let label = |key| metadata::label(revision, key).to_owned();
    [
        (
            env::SERVING_NAMESPACE,
            revision.namespace().unwrap_or_default(),
        ),
        (env::SERVING_SERVICE, label(serving::SERVICE)),
        (env::SERVING_CONFIGURATION, label(serving::CONFIGURATION)),
        (env::SERVING_REVISION, revision.name_any()),
    ]
}

/// How requests reach the app.
fn requests(inputs: &Inputs<'_>) -> [(&'static str, String); 11] {
    let spec = &inputs.revision.spec;
    let settings = inputs.settings;
    let number = |number: Option<i64>| number.unwrap_or(0).to_string();
    let timeout = pod::timeout_seconds(inputs);
    let full_duplex = is_enabled(inputs.revision.annotations(), HTTP_FULL_DUPLEX);
    let multi_container = settings.features.multi_container_probing == Flag::Enabled;
    let autodetect = settings.features.autodetect_http2 == Flag::Enabled;
    [
        (env::QUEUE_SERVING_PORT, serving_port(inputs).to_string()),
        (env::QUEUE_SERVING_TLS_PORT, port::QUEUE_HTTPS.to_string()),
        (
            env::USER_PORT,
            user_container::user_port(inputs.revision).to_string(),
        ),
        (
            env::CONTAINER_CONCURRENCY,
            number(spec.container_concurrency),
        ),
        (env::REVISION_TIMEOUT_SECONDS, timeout.to_string()),
        (
            env::REVISION_RESPONSE_START_TIMEOUT_SECONDS,
            number(spec.response_start_timeout_seconds),
        ),
        (
            env::REVISION_IDLE_TIMEOUT_SECONDS,
            number(spec.idle_timeout_seconds),
        ),
        (env::SERVING_READINESS_PROBE, readiness::of_app(inputs)),
        (env::ENABLE_HTTP_FULL_DUPLEX, full_duplex.to_string()),
        (env::ENABLE_HTTP2_AUTO_DETECTION, autodetect.to_string()),
        (
            env::ENABLE_MULTI_CONTAINER_PROBES,
            multi_container.to_string(),
        ),
    ]
}

/// What config maps say to every sidecar.
fn system(inputs: &Inputs<'_>) -> [(&'static str, String); 9] {
    let deployment = &inputs.settings.deployment;
    let logging = &inputs.settings.logging;
    let level = logging
        .levels
        .get("queueproxy")
        .cloned()
        .unwrap_or_default();
    [
        (
            env::SERVING_LOGGING_CONFIG,
            logging.zap_logger_config.clone(),
        ),
        (env::SERVING_LOGGING_LEVEL, level),
        (
            env::OBSERVABILITY_CONFIG,
            observability::json(&inputs.settings.observability),
        ),
        (env::SYSTEM_NAMESPACE, inputs.system_namespace.to_owned()),
        (env::ROOT_CA, deployment.queue_sidecar_rootca.clone()),
        (
            env::QUEUE_PROXY_TLS_MIN_VERSION,
            deployment.queue_sidecar_tls_min_version.clone(),
        ),
        (
            env::QUEUE_PROXY_TLS_MAX_VERSION,
            deployment.queue_sidecar_tls_max_version.clone(),
        ),
        (
            env::QUEUE_PROXY_TLS_CIPHER_SUITES,
            deployment.queue_sidecar_tls_cipher_suites.clone(),
        ),
        (
            env::QUEUE_PROXY_TLS_CURVE_PREFERENCES,
            deployment.queue_sidecar_tls_curve_preferences.clone(),
        ),
    ]
}

/// Ours, not upstream's. Not for pods whose readiness only kubelet can tell: exec probes and start-up
/// probes (contract/data-plane 2.5).
fn announcing(inputs: &Inputs<'_>) -> Vec<(&'static str, String)> {
    let only_kubelet = |container: &Container| {
        let exec = |probe: &Probe| probe.exec.is_some();
        container.startup_probe.is_some() || container.readiness_probe.as_ref().is_some_and(exec)
    };
    let Inputs {
        revision, herald, ..
    } = inputs;
    if revision.spec.pod.containers.iter().any(only_kubelet) {
        return Vec::new();
    }
    let namespace = revision.namespace().unwrap_or_default();
    let uid = revision.uid().unwrap_or_default();
    let key = herald.key(&namespace, &revision.name_any(), &uid);
    vec![
        (env::FERMATA_ANNOUNCE_TO, herald.to.clone()),
        (env::FERMATA_ANNOUNCEMENT_KEY, key.to_hex()),
    ]
}

/// What only the pod itself knows.
fn fields() -> impl Iterator<Item = EnvVar> {
    let fields = [
        (env::SERVING_POD, "metadata.name"),
        (env::SERVING_POD_IP, "status.podIP"),
        (env::HOST_IP, "status.hostIP"),
    ];
    fields.into_iter().map(|(name, path)| field(name, path))
}

/// A variable with the value of a field of the pod.
pub(super) fn field(name: &str, path: &str) -> EnvVar {
    let field_path = path.to_owned();
    let source = ObjectFieldSelector {
        field_path,
        api_version: Some("v1".to_owned()),
    };
    let value_from = EnvVarSource {
        field_ref: Some(source),
        ..EnvVarSource::default()
    };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(value_from),
    }
}

/// Whether the user switched a feature on for this revision.
pub(super) fn is_enabled(annotations: &BTreeMap<String, String>, key: &str) -> bool {
    annotations
        .get(key)
        .is_some_and(|value| value.eq_ignore_ascii_case("enabled"))
}
