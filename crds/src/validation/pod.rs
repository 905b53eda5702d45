//! Rules of the pod of a revision (contract/control-plane 1.5).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::names::subdomain;
use super::{FieldErrors, ValidationContext, container, fields, security, volume};
use crate::config::{FeaturesConfig, Flag, SecurePodDefaults};

/// Fields that every pod may have.
const ALLOWED: [&str; 6] = [
    "containers",
    "enableServiceLinks",
    "imagePullSecrets",
    "initContainers",
    "serviceAccountName",
    "volumes",
];

/// Fields that a feature flag allows.
fn gated(features: &FeaturesConfig) -> [(&'static str, Flag); 15] {
    [
        ("affinity", features.kubernetes_podspec_affinity),
        (
            "topologySpreadConstraints",
            features.kubernetes_podspec_topologyspreadconstraints,
        ),
        ("hostAliases", features.kubernetes_podspec_hostaliases),
        ("nodeSelector", features.kubernetes_podspec_nodeselector),
        (
            "runtimeClassName",
            features.kubernetes_podspec_runtimeclassname,
        ),
        ("tolerations", features.kubernetes_podspec_tolerations),
        (
            "securityContext",
            features.kubernetes_podspec_securitycontext,
        ),
        (
            "shareProcessNamespace",
            features.kubernetes_podspec_shareprocessnamespace,
        ),
        ("hostIPC", features.kubernetes_podspec_hostipc),
        ("hostPID", features.kubernetes_podspec_hostpid),
        ("hostNetwork", features.kubernetes_podspec_hostnetwork),
        (
            "priorityClassName",
            features.kubernetes_podspec_priorityclassname,
        ),
        ("schedulerName", features.kubernetes_podspec_schedulername),
        ("dnsPolicy", features.kubernetes_podspec_dnspolicy),
        ("dnsConfig", features.kubernetes_podspec_dnsconfig),
    ]
}

pub(super) fn validate(pod: &PodSpec, ctx: &ValidationContext<'_>) -> FieldErrors {
    let features = &ctx.settings.features;
    let mut errors = fields::only(pod, &allowed(pod, features));
    if features.kubernetes_podspec_securitycontext.is_on() {
        errors.also(security::pod(pod).at("securityContext"));
    }
    errors.also(service_account(pod));
    let (of_volumes, volumes) = volume::validate(pod, features);
    errors.also(of_volumes);
    if pod.containers.is_empty() {
        errors.also(FieldErrors::missing(["containers"]));
        return errors;
    }
    errors.also(counts(pod, features));
    errors.also(container::validate_all(pod, &volumes, ctx));
    errors.also(names(pod));
    errors
}

fn allowed(pod: &PodSpec, features: &FeaturesConfig) -> Vec<&'static str> {
    let mut allowed = ALLOWED.to_vec();
    allowed.extend(
        gated(features)
            .into_iter()
            .filter(|(_, flag)| flag.is_on())
            .map(|(field, _)| field),
    );
    if features.secure_pod_defaults != SecurePodDefaults::Disabled {
        allowed.push("securityContext");
    }
    if pod.automount_service_account_token == Some(false) {
        allowed.push("automountServiceAccountToken");
    }
    allowed
}

fn service_account(pod: &PodSpec) -> FieldErrors {
    let name = pod.service_account_name.as_deref().unwrap_or_default();
    let faults = if name.is_empty() {
        Vec::new()
    } else {
        subdomain(name)
    };
    if faults.is_empty() {
        return FieldErrors::none();
    }
    FieldErrors::invalid(name, "serviceAccountName").details(faults.join("\n"))
}

fn counts(pod: &PodSpec, features: &FeaturesConfig) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let containers = pod.containers.len();
    if containers > 1 && !features.multi_container.is_on() {
        errors.also(FieldErrors::new(
            format!("multi-container is off, but found {containers} containers"),
            ["containers"],
        ));
    }
    let inits = pod.init_containers.as_ref().map_or(0, Vec::len);
    if inits > 0 && !features.kubernetes_podspec_init_containers.is_on() {
        errors.also(FieldErrors::new(
            format!(
                "pod spec support for init-containers is off, but found {inits} init containers"
            ),
            ["initContainers"],
        ));
    }
    errors
}

fn names(pod: &PodSpec) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let mut used = BTreeSet::new();
    let inits = pod.init_containers.as_deref().unwrap_or_default();
    let mut check = |list: &str, containers: &[Container]| {
        for (index, container) in containers.iter().enumerate() {
            if !container.name.is_empty() && !used.insert(container.name.clone()) {
                let text = format!("duplicate container name {:?}", container.name);
                errors.also(FieldErrors::new(text, ["name"]).at_index(list, index));
            }
        }
    };
    check("initContainers", inits);
    check("containers", &pod.containers);
    errors
}
