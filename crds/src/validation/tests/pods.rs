use super::{check, pod_faults, refusals, service};

const TWO: &str = "containers: [{image: a/b, name: a, ports: [{}]}, {image: a/b, name: b}]";

#[test]
fn pods_hold_only_what_is_allowed() {
    let only = |fields: &str| format!("{{containers: [{{image: a/b}}], {fields}}}");
    for (fields, expect) in [
        ("enableServiceLinks: true", ""),
        ("imagePullSecrets: [{name: x}]", ""),
        ("serviceAccountName: robot", ""),
        ("automountServiceAccountToken: false", ""),
        (
            "automountServiceAccountToken: true",
            "must not set the field(s): automountServiceAccountToken",
        ),
        (
            "restartPolicy: Never",
            "must not set the field(s): restartPolicy",
        ),
        (
            "nodeName: n, hostname: h",
            "must not set the field(s): hostname, nodeName",
        ),
        (
            "terminationGracePeriodSeconds: 3",
            "must not set the field(s): terminationGracePeriodSeconds",
        ),
        (
            "activeDeadlineSeconds: 3",
            "must not set the field(s): activeDeadlineSeconds",
        ),
        ("subdomain: x", "must not set the field(s): subdomain"),
        ("overhead: {cpu: 1}", "must not set the field(s): overhead"),
        (
            "readinessGates: [{conditionType: x}]",
            "must not set the field(s): readinessGates",
        ),
        ("readinessGates: [], hostNetwork: false, nodeName: ''", ""),
        (
            "setHostnameAsFQDN: true",
            "must not set the field(s): setHostnameAsFQDN",
        ),
    ] {
        assert_eq!(pod_faults("", &only(fields)), expect, "{fields}");
    }
}

#[test]
fn a_flag_allows_its_field() {
    for (flag, field, value) in [
        ("affinity", "affinity", "{}"),
        (
            "topologyspreadconstraints",
            "topologySpreadConstraints",
            "[{maxSkew: 1}]",
        ),
        ("hostaliases", "hostAliases", "[{ip: 1.1.1.1}]"),
        ("nodeselector", "nodeSelector", "{a: b}"),
        ("runtimeclassname", "runtimeClassName", "gvisor"),
        ("tolerations", "tolerations", "[{}]"),
        ("securitycontext", "securityContext", "{}"),
        ("shareprocessnamespace", "shareProcessNamespace", "true"),
        ("hostipc", "hostIPC", "true"),
        ("hostpid", "hostPID", "true"),
        ("hostnetwork", "hostNetwork", "true"),
        ("priorityclassname", "priorityClassName", "high"),
        ("schedulername", "schedulerName", "mine"),
        ("dnspolicy", "dnsPolicy", "Default"),
        ("dnsconfig", "dnsConfig", "{}"),
    ] {
        let pod = format!("{{containers: [{{image: a/b}}], {field}: {value}}}");
        let refused = format!("must not set the field(s): {field}");
        assert_eq!(pod_faults("", &pod), refused);
        for value in ["Enabled", "allowed"] {
            assert_eq!(
                pod_faults(&format!("kubernetes.podspec-{flag}: {value}"), &pod),
                ""
            );
        }
    }
    let pod = "{containers: [{image: a/b}], securityContext: {}}";
    assert_eq!(pod_faults("secure-pod-defaults: AllowRootBounded", pod), "");
}

#[test]
fn revisions_have_limits() {
    check(
        &[
            ("", "{containers: [{image: a/b}], timeoutSeconds: 600}", ""),
            ("", "{containers: [{image: a/b}], timeoutSeconds: 0}", ""),
            (
                "",
                "{containers: [{image: a/b}], timeoutSeconds: 601}",
                "expected 0 <= 601 <= 600: timeoutSeconds",
            ),
            (
                "",
                "{containers: [{image: a/b}], timeoutSeconds: -1}",
                "expected 0 <= -1 <= 600: timeoutSeconds",
            ),
            (
                "max-revision-timeout-seconds: '900'",
                "{containers: [{image: a/b}], timeoutSeconds: 800}",
                "",
            ),
            (
                "",
                "{containers: [{image: a/b}], containerConcurrency: 0}",
                "",
            ),
            (
                "",
                "{containers: [{image: a/b}], containerConcurrency: 1000}",
                "",
            ),
            (
                "",
                "{containers: [{image: a/b}], containerConcurrency: 1001}",
                "expected 0 <= 1001 <= 1000: containerConcurrency",
            ),
            (
                "",
                "{containers: [{image: a/b}], containerConcurrency: -1}",
                "expected 0 <= -1 <= 1000: containerConcurrency",
            ),
            (
                "allow-container-concurrency-zero: 'false', container-concurrency: '5'",
                "{containers: [{image: a/b}], containerConcurrency: 0}",
                "expected 1 <= 0 <= 1000: containerConcurrency",
            ),
        ],
        pod_faults,
    );
}

#[test]
fn pods_have_containers_with_different_names_and_one_port() {
    let three = "{containers: [{image: a/b, name: x, ports: [{}]}, {image: a/b, name: x}, {image: a/b, name: x}]}";
    check(
        &[
            ("", "{containers: []}", "missing field(s): containers"),
            ("", "{containers: [{}]}", "missing field(s): containers[0]"),
            ("", &format!("{{{TWO}}}"), ""),
            (
                "multi-container: Disabled",
                &format!("{{{TWO}}}"),
                "multi-container is off, but found 2 containers: ",
            ),
            (
                "",
                "{containers: [{image: a/b, name: a, ports: [{}]}, {image: a/b, name: b, ports: [{}]}]}",
                "more than one container port is set: containers[*].ports\nOnly a single port is allowed across all containers",
            ),
            (
                "",
                "{containers: [{image: a/b, ports: [{}, {}]}]}",
                "more than one container port is set: containers[*].ports\nOnly a single port is allowed across all containers",
            ),
            (
                "",
                "{containers: [{image: a/b, name: a}, {image: a/b, name: b}]}",
                "missing field(s): containers[*].ports",
            ),
            (
                "",
                "{containers: [{image: a/b, name: x, ports: [{}]}, {image: a/b, name: x}]}",
                "duplicate container name \"x\": containers[1].name",
            ),
            (
                "",
                three,
                "duplicate container name \"x\": containers[2].containers[1].name, containers[2].name",
            ),
            (
                "multi-container: Allowed",
                &format!("{{{TWO}}}"),
                "multi-container is off, but found 2 containers: ",
            ),
        ],
        pod_faults,
    );
}

#[test]
fn containers_that_run_first_have_rules_of_their_own() {
    let init = "{containers: [{image: a/b}], initContainers: [{image: a/b, name: i}]}";
    let on = "kubernetes.podspec-init-containers: Enabled";
    check(
        &[
            (
                "",
                init,
                "must not set the field(s): initContainers\npod spec support for init-containers is off, but found 1 init containers: ",
            ),
            (
                "kubernetes.podspec-init-containers: Allowed",
                init,
                "pod spec support for init-containers is off, but found 1 init containers: ",
            ),
            (on, init, ""),
            (
                on,
                "{containers: [{image: a/b, name: x}], initContainers: [{image: a/b, name: x}]}",
                "duplicate container name \"x\": containers[0].name",
            ),
            (
                on,
                "{containers: [{image: a/b}], initContainers: [{image: a/b, name: i, livenessProbe: {}, lifecycle: {}}]}",
                "field not allowed in an init container: containers[0].lifecycle, containers[0].livenessProbe\nmust not set the field(s): containers[0].lifecycle",
            ),
            (
                on,
                "{containers: [{image: a/b}], initContainers: [{image: a/b, name: i, env: [{name: PORT}]}]}",
                "",
            ),
            (
                on,
                "{containers: [{image: a/b}], initContainers: [{name: i}]}",
                "missing field(s): containers[0].image",
            ),
            (
                on,
                "{containers: [{image: a/b}], initContainers: [{image: a/b, name: i, restartPolicy: Always}]}",
                "must not set the field(s): containers[0].restartPolicy",
            ),
            (
                on,
                "{containers: [{image: a/b}], initContainers: [{image: a/b, name: i, ports: [{}, {containerPort: 8012, protocol: UDP}]}]}",
                "invalid value: 8012 is a reserved port: containers[0].ports.containerPort\n8012 is a reserved port, please use a different value",
            ),
        ],
        pod_faults,
    );
}

#[test]
fn service_accounts_are_subdomains() {
    let text = pod_faults(
        "",
        "{containers: [{image: a/b}], serviceAccountName: foo@bar.baz}",
    );
    assert!(text.starts_with(
        "invalid value: foo@bar.baz: serviceAccountName\na lowercase RFC 1123 subdomain must"
    ));
    let long = "@".repeat(254);
    let pod = format!("{{containers: [{{image: a/b}}], serviceAccountName: '{long}'}}");
    let text = pod_faults("", &pod);
    assert_eq!(text.matches("invalid value").count(), 2, "{text}");
    assert!(text.ends_with("serviceAccountName\nmust be no more than 253 characters"));
}

#[test]
fn paths_lead_from_the_top_of_the_service() {
    let empty = service("spec: {traffic: [{percent: 100}]}");
    assert_eq!(
        refusals(&empty, "").errors().to_string(),
        "missing field(s): spec.template.spec.containers"
    );
}

#[test]
fn pod_security_contexts_are_checked() {
    let on = "kubernetes.podspec-securitycontext: Enabled";
    let faults = |settings: &str, context: &str| {
        let pod = format!("{{containers: [{{image: a/b}}], securityContext: {context}}}");
        pod_faults(settings, &pod).replace("securityContext.", "")
    };
    check(
        &[
            (
                on,
                "{runAsUser: 0, runAsGroup: 1, fsGroup: 2, runAsNonRoot: true}",
                "",
            ),
            (
                on,
                "{supplementalGroups: [1], seccompProfile: {type: RuntimeDefault}}",
                "",
            ),
            (
                on,
                "{runAsUser: -10}",
                "expected 0 <= -10 <= 2147483647: runAsUser",
            ),
            (
                on,
                "{runAsGroup: 2147483648}",
                "expected 0 <= 2147483648 <= 2147483647: runAsGroup",
            ),
            (
                on,
                "{fsGroup: -1}",
                "expected 0 <= -1 <= 2147483647: fsGroup",
            ),
            (
                on,
                "{supplementalGroups: [1, -1]}",
                "expected 0 <= -1 <= 2147483647: supplementalGroups[1]",
            ),
            (
                on,
                "{sysctls: [{name: a, value: b}]}",
                "must not set the field(s): sysctls",
            ),
            (
                "",
                "{runAsUser: -1}",
                "expected 0 <= -1 <= 2147483647: runAsUser\nmust not set the field(s): securityContext, runAsUser",
            ),
            (
                "secure-pod-defaults: Enabled",
                "{seccompProfile: {type: Unconfined}}",
                "",
            ),
            (
                "secure-pod-defaults: Enabled",
                "{seccompProfile: {type: Localhost}, runAsUser: 1}",
                "must not set the field(s): runAsUser, seccompProfile",
            ),
            (
                "secure-pod-defaults: Enabled",
                "{seccompProfile: {type: RuntimeDefault, localhostProfile: x}}",
                "must not set the field(s): seccompProfile",
            ),
            (
                on,
                "{seLinuxOptions: {}}",
                "must not set the field(s): seLinuxOptions",
            ),
        ],
        faults,
    );
}
