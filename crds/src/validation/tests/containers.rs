use super::{check, container_faults, pod_faults};

#[test]
fn containers_hold_only_what_is_allowed() {
    for (fields, expect) in [
        ("args: [a], command: [b], workingDir: /x", ""),
        ("imagePullPolicy: Always, terminationMessagePath: /x", ""),
        ("imagePullPolicy: Sometimes, env: [], command: []", ""),
        ("terminationMessagePolicy: FallbackToLogsOnError", ""),
        (
            "terminationMessagePolicy: Shout",
            "invalid value: Shout: terminationMessagePolicy",
        ),
        (
            "stdin: true, tty: true, stdinOnce: true",
            "must not set the field(s): stdin, stdinOnce, tty",
        ),
        ("lifecycle: {}", "must not set the field(s): lifecycle"),
        (
            "volumeDevices: [{name: a, devicePath: b}]",
            "must not set the field(s): volumeDevices",
        ),
        ("resources: {limits: {cpu: 1}, requests: {memory: 1M}}", ""),
        (
            "resources: {claims: [{name: a}]}",
            "must not set the field(s): resources.claims",
        ),
        (
            "name: queue-proxy",
            "\"queue-proxy\" is a reserved container name: name",
        ),
        ("name: '&InvalidValue'", ""),
    ] {
        assert_eq!(container_faults("", fields), expect, "{fields}");
    }
}

#[test]
fn images_must_be_references() {
    for (image, expect) in [
        ("a/b", ""),
        ("gcr.io/a/b:tag", ""),
        ("''", "missing field(s): containers[0].image"),
        (
            "a b",
            "Failed to parse image reference: containers[0].image\nimage: \"a b\", error: could not parse reference: a b",
        ),
        (
            "inv@lid",
            "Failed to parse image reference: containers[0].image\nimage: \"inv@lid\", error: could not parse reference: inv@lid",
        ),
        (
            "UPPER/x",
            "Failed to parse image reference: containers[0].image\nimage: \"UPPER/x\", error: could not parse reference: UPPER/x",
        ),
        (
            r#""a\u00a0b""#,
            "Failed to parse image reference: containers[0].image\nimage: \"a\\u00a0b\", error: could not parse reference: a\u{a0}b",
        ),
    ] {
        assert_eq!(
            pod_faults(
                "",
                &format!("{{containers: [{{name: a, image: {image}}}]}}")
            ),
            expect
        );
    }
    assert_eq!(
        pod_faults("", "{containers: [{}]}"),
        "missing field(s): containers[0]"
    );
    assert_eq!(
        pod_faults("", "{containers: [{name: a}]}"),
        "missing field(s): containers[0].image"
    );
}

#[test]
fn ports_are_checked() {
    for (port, expect) in [
        ("", ""),
        ("containerPort: 8080", ""),
        ("containerPort: 0", ""),
        (
            "containerPort: 65536",
            "expected 0 <= 65536 <= 65535: ports.containerPort",
        ),
        (
            "containerPort: -1",
            "expected 0 <= -1 <= 65535: ports.containerPort",
        ),
        ("name: h2c", ""),
        ("name: http1", ""),
        (
            "name: grpc",
            "Port name grpc is not allowed: ports\nName must be empty, or one of: 'h2c', 'http1'",
        ),
        ("protocol: TCP", ""),
        ("protocol: UDP", "invalid value: UDP: ports.protocol"),
        ("name: '', protocol: '', hostPort: 0", ""),
        ("hostPort: 80", "must not set the field(s): ports.hostPort"),
        ("hostIP: 1.2.3.4", "must not set the field(s): ports.hostIP"),
    ] {
        assert_eq!(
            container_faults("", &format!("ports: [{{{port}}}]")),
            expect,
            "{port}"
        );
    }
    for port in [8008, 8012, 8013, 8022, 9090, 9091] {
        assert_eq!(
            container_faults("", &format!("ports: [{{containerPort: {port}}}]")),
            format!(
                "invalid value: {port} is a reserved port: ports.containerPort\n{port} is a reserved port, please use a different value"
            )
        );
    }
}

const FIELD_REF: &str = "kubernetes.podspec-fieldref: Enabled";
const ENVIRONMENTS: &[(&str, &str, &str)] = &[
    ("", "env: [{name: A, value: b}]", ""),
    ("", "env: [{value: b}]", "missing field(s): env[0].name"),
    (
        "",
        "env: [{name: A}, {name: PORT}]",
        "\"PORT\" is a reserved environment variable: env[1].name",
    ),
    (
        "",
        "env: [{name: K_SERVICE}]",
        "\"K_SERVICE\" is a reserved environment variable: env[0].name",
    ),
    (
        "",
        "env: [{name: K_CONFIGURATION}]",
        "\"K_CONFIGURATION\" is a reserved environment variable: env[0].name",
    ),
    (
        "",
        "env: [{name: K_REVISION}]",
        "\"K_REVISION\" is a reserved environment variable: env[0].name",
    ),
    (
        "",
        "env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: k}}}]",
        "",
    ),
    (
        "",
        "env: [{name: A, valueFrom: {secretKeyRef: {name: m, key: k}}}]",
        "",
    ),
    (
        "",
        "env: [{name: A, valueFrom: {configMapKeyRef: {key: k}}}]",
        "",
    ),
    (
        "",
        "env: [{name: A, valueFrom: {secretKeyRef: {name: m}}}]",
        "",
    ),
    (
        "",
        "env: [{name: A, valueFrom: {fieldRef: {fieldPath: x}}}]",
        "must not set the field(s): env[0].valueFrom.fieldRef",
    ),
    (
        "",
        "env: [{name: A, valueFrom: {resourceFieldRef: {resource: x}}}]",
        "must not set the field(s): env[0].valueFrom.resourceFieldRef",
    ),
    (
        FIELD_REF,
        "env: [{name: A, valueFrom: {fieldRef: {fieldPath: x}}}]",
        "",
    ),
    (
        FIELD_REF,
        "env: [{name: A, valueFrom: {resourceFieldRef: {resource: x}}}]",
        "",
    ),
    ("", "envFrom: [{configMapRef: {name: m}}]", ""),
    ("", "envFrom: [{secretRef: {name: m}, prefix: p}]", ""),
    (
        "",
        "envFrom: [{}]",
        "expected exactly one, got neither: envFrom.configMapRef, envFrom.secretRef",
    ),
    (
        "",
        "envFrom: [{configMapRef: {name: m}, secretRef: {name: m}}]",
        "expected exactly one, got both: envFrom.configMapRef, envFrom.secretRef",
    ),
    (
        "",
        "envFrom: [{}, {secretRef: {}}, {configMapRef: {}}]",
        "expected exactly one, got neither: envFrom.configMapRef[2].secretRef[1].configMapRef, envFrom.configMapRef[2].secretRef[1].secretRef",
    ),
    ("", "envFrom: [{secretRef: {}}, {configMapRef: {}}]", ""),
];

#[test]
fn environments_are_checked() {
    check(ENVIRONMENTS, container_faults);
}

#[test]
fn probes_of_the_serving_container_lead_to_its_port() {
    for (probe, expect) in [
        ("livenessProbe: {httpGet: {path: /x}}", ""),
        ("livenessProbe: {httpGet: {port: 9999}}", ""),
        ("livenessProbe: {exec: {command: [x]}}", ""),
        ("startupProbe: {grpc: {port: 1}}", ""),
        (
            "livenessProbe: {}",
            "expected exactly one, got neither: livenessProbe.exec, livenessProbe.grpc, livenessProbe.httpGet, livenessProbe.tcpSocket",
        ),
        (
            "livenessProbe: {exec: {}, tcpSocket: {}}",
            "expected exactly one, got both: livenessProbe.exec, livenessProbe.tcpSocket",
        ),
        (
            "livenessProbe: {httpGet: {port: web}, exec: {}, grpc: {port: 1}}",
            "expected exactly one, got both: livenessProbe.exec, livenessProbe.gRPC, livenessProbe.httpGet\ninvalid value: web: livenessProbe.grpc.exec.httpGet.port\nProbe port must match container port",
        ),
        ("livenessProbe: {tcpSocket: {port: http}}", ""),
        (
            "ports: [{name: h2c}], livenessProbe: {tcpSocket: {port: http}}",
            "invalid value: http: livenessProbe.tcpSocket.port\nProbe port must match container port",
        ),
        (
            "livenessProbe: {tcpSocket: {}, initialDelaySeconds: -1, periodSeconds: -1}",
            "",
        ),
        (
            "ports: [{name: h2c}], livenessProbe: {tcpSocket: {port: h2c}}",
            "",
        ),
        (
            "ports: [{name: h2c}], livenessProbe: {tcpSocket: {port: web}}",
            "invalid value: web: livenessProbe.tcpSocket.port\nProbe port must match container port",
        ),
        (
            "livenessProbe: {httpGet: {port: web}}",
            "invalid value: web: livenessProbe.httpGet.port\nProbe port must match container port",
        ),
    ] {
        assert_eq!(container_faults("", probe), expect, "{probe}");
    }
}

#[test]
fn readiness_probes_have_bounds() {
    for (probe, expect) in [
        (
            "readinessProbe: {tcpSocket: {}, successThreshold: 1, initialDelaySeconds: -1}",
            "expected 0 <= -1 <= 2147483647: readinessProbe.initialDelaySeconds",
        ),
        (
            "readinessProbe: {tcpSocket: {}, successThreshold: 1, periodSeconds: -1, timeoutSeconds: 1, failureThreshold: 1}",
            "expected 0 <= -1 <= 2147483647: readinessProbe.periodSeconds",
        ),
        ("readinessProbe: {tcpSocket: {}, successThreshold: 1}", ""),
        (
            "readinessProbe: {tcpSocket: {}}",
            "expected 1 <= 0 <= 2147483647: readinessProbe.successThreshold",
        ),
        (
            "readinessProbe: {tcpSocket: {}, successThreshold: 1, failureThreshold: 2}",
            "failureThreshold is disallowed when periodSeconds is zero: readinessProbe.failureThreshold",
        ),
        (
            "readinessProbe: {tcpSocket: {}, successThreshold: 1, timeoutSeconds: 2}",
            "timeoutSeconds is disallowed when periodSeconds is zero: readinessProbe.timeoutSeconds",
        ),
        (
            "readinessProbe: {tcpSocket: {}, successThreshold: 1, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1}",
            "",
        ),
        (
            "readinessProbe: {tcpSocket: {}, successThreshold: 1, periodSeconds: 1, failureThreshold: 1}",
            "expected 1 <= 0 <= 2147483647: readinessProbe.timeoutSeconds",
        ),
        (
            "readinessProbe: {tcpSocket: {}, successThreshold: 1, periodSeconds: 1, timeoutSeconds: 1}",
            "expected 1 <= 0 <= 2147483647: readinessProbe.failureThreshold",
        ),
    ] {
        assert_eq!(container_faults("", probe), expect, "{probe}");
    }
}

#[test]
fn sidecars_have_rules_of_their_own() {
    let on = "multi-container-probing: Enabled";
    let faults = |settings: &str, fields: &str| {
        let pod = format!(
            "{{containers: [{{image: a/b, name: a, ports: [{{}}]}}, {{image: a/b, name: b, {fields}}}]}}"
        );
        pod_faults(settings, &pod).replace("containers[1].", "")
    };
    check(
        &[
            ("", "env: [{name: PORT}]", ""),
            (
                "",
                "env: [{name: K_SERVICE}]",
                "\"K_SERVICE\" is a reserved environment variable: env[0].name",
            ),
            (
                "",
                "livenessProbe: {tcpSocket: {port: 1}}",
                "must not set the field(s): livenessProbe",
            ),
            (
                "",
                "startupProbe: {tcpSocket: {port: 1}}",
                "must not set the field(s): startupProbe",
            ),
            (
                "",
                "readinessProbe: {tcpSocket: {port: 1}, successThreshold: 1}",
                "must not set the field(s): readinessProbe, readinessProbe.successThreshold",
            ),
            ("", "readinessProbe: {}", ""),
            (
                on,
                "livenessProbe: {httpGet: {port: ''}}",
                "invalid value: : livenessProbe.httpGet.port\nProbe port must be specified",
            ),
            (on, "livenessProbe: {tcpSocket: {port: 1}}", ""),
            (
                on,
                "livenessProbe: {tcpSocket: {}}",
                "invalid value: 0: livenessProbe.tcpSocket.port\nProbe port must be specified",
            ),
            (
                on,
                "readinessProbe: {httpGet: {}, successThreshold: 1}",
                "invalid value: 0: readinessProbe.httpGet.port\nProbe port must be specified",
            ),
        ],
        faults,
    );
}
