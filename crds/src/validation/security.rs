//! Rules of security contexts, and warnings about what Kubernetes leaves open
//! (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::{Capabilities, Container, PodSpec, SecurityContext};

use super::container::Scope;
use super::{FieldErrors, fields};
use crate::config::SecurePodDefaults;

const MOST_ID: i64 = 2_147_483_647;
const POD: [&str; 6] = [
    "fsGroup",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile",
    "supplementalGroups",
];
const CONTAINER: [&str; 7] = [
    "allowPrivilegeEscalation",
    "capabilities",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile",
];
const INSECURE: &str =
    "Kubernetes default value is insecure, Knative may default this to secure in a future release";

/// The context of the pod.
pub(super) fn pod(pod: &PodSpec) -> FieldErrors {
    let Some(context) = &pod.security_context else {
        return FieldErrors::none();
    };
    let mut errors = fields::only(context, &POD);
    errors.also(id(context.run_as_user, "runAsUser"));
    errors.also(id(context.run_as_group, "runAsGroup"));
    errors.also(id(context.fs_group, "fsGroup"));
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        errors.also(id(Some(*group), "").at_index("supplementalGroups", index));
    }
    errors
}

/// The context of a container; also warns where nothing is said.
pub(super) fn container(container: &Container, scope: &Scope<'_>) -> FieldErrors {
    let none = SecurityContext::default();
    let context = container.security_context.as_ref().unwrap_or(&none);
    let mut allowed = CONTAINER.to_vec();
    if context.privileged == Some(false) {
        allowed.push("privileged");
    }
    let mut errors = fields::only(context, &allowed);
    errors.also(id(context.run_as_user, "runAsUser"));
    errors.also(id(context.run_as_group, "runAsGroup"));
    if let Some(capabilities) = &context.capabilities {
        errors.also(added(capabilities, scope).at("capabilities"));
    }
    errors.also(left_open(context, scope.pod));
    errors
}

fn id(id: Option<i64>, path: &str) -> FieldErrors {
    match id {
        Some(id) if !(0..=MOST_ID).contains(&id) => {
            FieldErrors::out_of_bounds(id, 0, MOST_ID, path)
        }
        _ => FieldErrors::none(),
    }
}

fn added(capabilities: &Capabilities, scope: &Scope<'_>) -> FieldErrors {
    let features = &scope.ctx.settings.features;
    let add = capabilities.add.as_deref().unwrap_or_default();
    let by_default =
        features.secure_pod_defaults != SecurePodDefaults::Disabled && add == ["NET_BIND_SERVICE"];
    if add.is_empty() || by_default || features.kubernetes_containerspec_addcapabilities.is_on() {
        return FieldErrors::none();
    }
    FieldErrors::disallowed(["add"])
}

fn left_open(context: &SecurityContext, pod: &PodSpec) -> FieldErrors {
    let of_pod = pod.security_context.as_ref();
    let non_root = of_pod
        .and_then(|pod| pod.run_as_non_root)
        .or(context.run_as_non_root);
    let seccomp = of_pod.and_then(|pod| pod.seccomp_profile.as_ref());
    let open = [
        ("runAsNonRoot", non_root.is_none()),
        (
            "allowPrivilegeEscalation",
            context.allow_privilege_escalation.is_none(),
        ),
        (
            "seccompProfile",
            seccomp.or(context.seccomp_profile.as_ref()).is_none(),
        ),
        ("capabilities", context.capabilities.is_none()),
    ];
    let open: Vec<&str> = open
        .into_iter()
        .filter(|(_, open)| *open)
        .map(|(field, _)| field)
        .collect();
    if open.is_empty() {
        return FieldErrors::none();
    }
    FieldErrors::new(INSECURE, open).as_warnings()
}
