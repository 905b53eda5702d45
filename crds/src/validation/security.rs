//! Rules of security contexts, and warnings about what Kubernetes leaves open
//! (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::{
    Capabilities, Container, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};

use super::{FieldErrors, fields};
use crate::config::{FeaturesConfig, Flag, SecurePodDefaults};

const MOST_ID: i64 = 2_147_483_647;
const SECCOMP: &str = "seccompProfile";
const POD: [&str; 6] = [
    "fsGroup",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    SECCOMP,
    "supplementalGroups",
];
const CONTAINER: [&str; 7] = [
    "allowPrivilegeEscalation",
    "capabilities",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    SECCOMP,
];
const INSECURE: &str =
    "Kubernetes default value is insecure, Knative may default this to secure in a future release";

/// The context of the pod.
pub(super) fn pod(context: &PodSecurityContext, features: &FeaturesConfig) -> FieldErrors {
    let allowed: &[&str] = if features.kubernetes_podspec_securitycontext.is_on() {
        &POD
    } else if is_secure(features) && context.seccomp_profile.as_ref().is_some_and(is_choice) {
        &[SECCOMP]
    } else {
        &[]
    };
    let mut errors = fields::only(context, allowed);
    errors.also(id(context.run_as_user, "runAsUser"));
    errors.also(id(context.run_as_group, "runAsGroup"));
    errors.also(id(context.fs_group, "fsGroup"));
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        errors.also(id(Some(*group), "").at_index("supplementalGroups", index));
    }
    errors
}

/// Whether safe defaults are on, so that there must be a way out of them.
fn is_secure(features: &FeaturesConfig) -> bool {
    features.secure_pod_defaults != SecurePodDefaults::Disabled
}

fn is_choice(profile: &SeccompProfile) -> bool {
    let known = matches!(profile.type_.as_str(), "RuntimeDefault" | "Unconfined");
    known && profile.localhost_profile.is_none()
}

/// The context of a container.
pub(super) fn container(container: &Container, features: &FeaturesConfig) -> FieldErrors {
    let Some(context) = &container.security_context else {
        return FieldErrors::none();
    };
    let mut allowed = CONTAINER.to_vec();
    if context.privileged == Some(false) {
        allowed.push("privileged");
    }
    let mut errors = fields::only(context, &allowed);
    errors.also(id(context.run_as_user, "runAsUser"));
    errors.also(id(context.run_as_group, "runAsGroup"));
    if let Some(capabilities) = &context.capabilities {
        errors.also(added(capabilities, features).at("capabilities"));
    }
    errors
}

fn id(id: Option<i64>, path: &'static str) -> FieldErrors {
    match id {
        Some(id) if !(0..=MOST_ID).contains(&id) => {
            FieldErrors::out_of_bounds(id, 0, MOST_ID, path)
        }
        _ => FieldErrors::none(),
    }
}

fn added(capabilities: &Capabilities, features: &FeaturesConfig) -> FieldErrors {
    let add = capabilities.add.as_deref().unwrap_or_default();
    let free = features.kubernetes_containerspec_addcapabilities == Flag::Enabled;
    let by_default = is_secure(features) && add == ["NET_BIND_SERVICE"];
    if add.is_empty() || free || by_default {
        return FieldErrors::none();
    }
    FieldErrors::disallowed(["add"])
}

/// Warnings for every container of the pod.
pub(super) fn warnings(pod: &PodSpec, features: &FeaturesConfig) -> FieldErrors {
    let mut warnings = FieldErrors::none();
    if is_secure(features) {
        return warnings;
    }
    let init = pod.init_containers.as_deref().unwrap_or_default();
    for (list, containers) in [
        ("containers", pod.containers.as_slice()),
        ("initContainers", init),
    ] {
        for (index, container) in containers.iter().enumerate() {
            let open = left_open(container.security_context.as_ref(), pod);
            warnings.also(open.at("securityContext").at_index(list, index));
        }
    }
    warnings.as_warnings()
}

fn left_open(context: Option<&SecurityContext>, pod: &PodSpec) -> FieldErrors {
    let of_pod = pod.security_context.as_ref();
    let non_root = |of_pod: Option<bool>| of_pod.or(context.and_then(|own| own.run_as_non_root));
    let profiles = [
        of_pod.and_then(|of_pod| of_pod.seccomp_profile.as_ref()),
        context.and_then(|context| context.seccomp_profile.as_ref()),
    ];
    let mut profiles = profiles.into_iter().flatten().peekable();
    let mut errors = FieldErrors::none();
    let mut open = |field: &'static str| errors.also(FieldErrors::new(INSECURE, [field]));
    if non_root(of_pod.and_then(|of_pod| of_pod.run_as_non_root)).is_none() {
        open("runAsNonRoot");
    }
    if context.is_none_or(|context| context.allow_privilege_escalation.is_none()) {
        open("allowPrivilegeEscalation");
    }
    if profiles.peek().is_none() {
        open(SECCOMP);
    } else if profiles.all(|profile| profile.type_.is_empty()) {
        open("seccompProfile.type");
    }
    let capabilities = context.and_then(|context| context.capabilities.as_ref());
    match capabilities.map(|capabilities| capabilities.drop.as_deref()) {
        None => open("capabilities"),
        Some(None) => open("capabilities.drop"),
        Some(Some([first, ..])) if first == "all" => {
            let wrong = FieldErrors::invalid("all", "capabilities.drop");
            errors.also(wrong.details("Must be spelled as 'ALL'"));
        }
        Some(Some(_)) => {}
    }
    errors
}
