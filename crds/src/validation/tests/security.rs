use super::{check, container_faults, refusals, service};

#[test]
fn security_contexts_are_checked() {
    let add = "kubernetes.containerspec-addcapabilities: Enabled";
    let faults = |settings: &str, context: &str| {
        container_faults(settings, &format!("securityContext: {context}"))
            .replace("securityContext.", "")
    };
    check(
        &[
            (
                "",
                "{readOnlyRootFilesystem: true, runAsUser: 1, runAsGroup: 1}",
                "",
            ),
            (
                "",
                "{runAsNonRoot: true, allowPrivilegeEscalation: false}",
                "",
            ),
            (
                "",
                "{seccompProfile: {type: RuntimeDefault}, capabilities: {drop: [ALL]}}",
                "",
            ),
            ("", "{privileged: false}", ""),
            (
                "",
                "{privileged: true}",
                "must not set the field(s): privileged",
            ),
            ("", "{procMount: x}", "must not set the field(s): procMount"),
            (
                "",
                "{seLinuxOptions: {}}",
                "must not set the field(s): seLinuxOptions",
            ),
            (
                "",
                "{runAsUser: -10}",
                "expected 0 <= -10 <= 2147483647: runAsUser",
            ),
            (
                "",
                "{runAsGroup: -1}",
                "expected 0 <= -1 <= 2147483647: runAsGroup",
            ),
            (
                "",
                "{capabilities: {add: [X]}}",
                "must not set the field(s): capabilities.add",
            ),
            (add, "{capabilities: {add: [X]}}", ""),
            (
                "secure-pod-defaults: Enabled",
                "{capabilities: {add: [NET_BIND_SERVICE]}}",
                "",
            ),
            (
                "secure-pod-defaults: Enabled",
                "{capabilities: {add: [X]}}",
                "must not set the field(s): capabilities.add",
            ),
            (
                "kubernetes.containerspec-addcapabilities: Allowed",
                "{capabilities: {add: [X]}}",
                "must not set the field(s): capabilities.add",
            ),
        ],
        faults,
    );
}

/// Warnings about the only container, without what they all begin and end with.
fn warnings(settings: &str, context: &str, pod: &str) -> String {
    let service = service(&format!(
        "spec: {{template: {{spec: {{containers: [{{image: a/b, {context}}}], {pod}}}}}, traffic: [{{percent: 100}}]}}"
    ));
    let warnings = refusals(&service, settings).warnings().join("\n");
    warnings
        .replace("Kubernetes default value is insecure, Knative may default this to secure in a future release: ", "")
        .replace("spec.template.spec.containers[0].securityContext.", "")
}

#[test]
fn insecure_defaults_are_warned_of() {
    let closed = "runAsNonRoot: true, allowPrivilegeEscalation: false";
    let profile = "seccompProfile: {type: RuntimeDefault}";
    for (context, pod, expect) in [
        (
            String::new(),
            "",
            "allowPrivilegeEscalation, capabilities, runAsNonRoot, seccompProfile",
        ),
        (
            "runAsNonRoot: true".to_owned(),
            "",
            "allowPrivilegeEscalation, capabilities, seccompProfile",
        ),
        (
            format!("{closed}, {profile}, capabilities: {{drop: [ALL]}}"),
            "",
            "",
        ),
        (
            format!("{closed}, {profile}, capabilities: {{}}"),
            "",
            "capabilities.drop",
        ),
        (
            format!("{closed}, {profile}, capabilities: {{drop: [all]}}"),
            "",
            "invalid value: all: capabilities.drop\nMust be spelled as 'ALL'",
        ),
        (
            format!("{closed}, seccompProfile: {{}}, capabilities: {{drop: [X]}}"),
            "",
            "seccompProfile.type",
        ),
        (
            "allowPrivilegeEscalation: true, capabilities: {drop: [X]}".to_owned(),
            "securityContext: {runAsNonRoot: false, seccompProfile: {type: Unconfined}}",
            "",
        ),
    ] {
        let context = format!("securityContext: {{{context}}}");
        assert_eq!(warnings("", &context, pod), expect, "{context} {pod}");
        assert_eq!(warnings("secure-pod-defaults: Enabled", &context, pod), "");
    }
}

#[test]
fn containers_that_are_refused_are_warned_of_too() {
    let text = warnings(
        "multi-container: Disabled",
        "",
        "initContainers: [{image: a/b}]",
    );
    assert!(text.contains("spec.template.spec.initContainers[0].securityContext.capabilities"));
}
