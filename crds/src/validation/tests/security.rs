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
        ],
        faults,
    );
}

#[test]
fn insecure_defaults_are_warned_of() {
    let open = service(
        "spec: {template: {spec: {containers: [{image: a/b, securityContext: {runAsNonRoot: true}}]}}, traffic: [{percent: 100}]}",
    );
    let errors = refusals(&open, "");
    assert!(errors.errors().is_empty());
    let base = "spec.template.spec.containers[0].securityContext";
    assert_eq!(
        errors.warnings(),
        [format!(
            "Kubernetes default value is insecure, Knative may default this to secure in a future release: {base}.allowPrivilegeEscalation, {base}.capabilities, {base}.seccompProfile"
        )]
    );
    let closed = service(
        "spec: {template: {spec: {containers: [{image: a/b, securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, seccompProfile: {type: RuntimeDefault}, capabilities: {drop: [ALL]}}}]}}, traffic: [{percent: 100}]}",
    );
    assert!(refusals(&closed, "").is_empty());
}
