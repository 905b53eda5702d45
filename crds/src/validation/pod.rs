//! Rules of the pod of a revision (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::PodSpec;

use super::names::subdomain;
use super::{FieldErrors, ValidationContext, container, fields, security, volume};
use crate::config::{FeaturesConfig, Flag, SecurePodDefaults};

/// Fields that every pod may have.
const ALLOWED: [&str; 5] = [
    "containers",
    "enableServiceLinks",
    "imagePullSecrets",
    "serviceAccountName",
    "volumes",
];

/// Fields that a feature flag allows.
fn gated(features: &FeaturesConfig) -> [(&'static str, Flag); 16] {
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
        (
            "initContainers",
            features.kubernetes_podspec_init_containers,
        ),
    ]
}

pub(super) fn validate(pod: &PodSpec, ctx: &ValidationContext<'_>) -> FieldErrors {
    let features = &ctx.settings.features;
    let mut errors = fields::only(pod, &allowed(pod, features));
    if let Some(context) = &pod.security_context {
        errors.also(security::pod(context, features).at("securityContext"));
    }
    errors.also(security::warnings(pod, features));
    errors.also(service_account(pod));
    let (of_volumes, volumes) = volume::validate(pod, features);
    errors.also(of_volumes);
    errors.also(container::validate_all(pod, &volumes, ctx));
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
    if name.is_empty() {
        return FieldErrors::none();
    }
    let faults = subdomain(name).into_iter();
    faults
        .map(|fault| FieldErrors::invalid(name, "serviceAccountName").details(fault))
        .collect()
}
