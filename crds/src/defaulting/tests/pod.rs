use serde_json::{Value, json};

use super::pod;

#[test]
fn timeouts_follow_the_settings() {
    let times = |pairs: &str, spec: &str| {
        let pod = pod(pairs, &format!("{{containers: [{{image: a/b}}], {spec}}}"));
        [
            "timeoutSeconds",
            "responseStartTimeoutSeconds",
            "idleTimeoutSeconds",
        ]
        .map(|field| pod[field].as_i64())
    };
    let idle = "revision-idle-timeout-seconds: '20'";
    let start = "revision-response-start-timeout-seconds: '100'";
    for (pairs, spec, expect) in [
        ("", "", [Some(300), None, None]),
        ("", "timeoutSeconds: 0", [Some(300), None, None]),
        ("", "timeoutSeconds: 400", [Some(400), Some(300), None]),
        ("revision-timeout-seconds: '50'", "", [Some(50), None, None]),
        (idle, "", [Some(300), None, Some(20)]),
        (idle, "timeoutSeconds: 10", [Some(10), None, None]),
        (idle, "idleTimeoutSeconds: 5", [Some(300), None, Some(5)]),
        (start, "", [Some(300), Some(100), None]),
        (start, "timeoutSeconds: 100", [Some(100), None, None]),
        (
            start,
            "responseStartTimeoutSeconds: 7",
            [Some(300), Some(7), None],
        ),
    ] {
        assert_eq!(times(pairs, spec), expect, "{pairs} {spec}");
    }
}

#[test]
fn containers_get_names_that_are_free() {
    let names = |pairs: &str, containers: &str| -> Vec<String> {
        let pod = pod(pairs, &format!("{{{containers}}}"));
        let of = |list: &str| pod[list].as_array().cloned().unwrap_or_default();
        let all = of("containers").into_iter().chain(of("initContainers"));
        all.map(|container| container["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for (pairs, containers, expect) in [
        ("", "containers: [{}]", &["user-container"][..]),
        ("", "containers: [{name: x}]", &["x"]),
        (
            "",
            "containers: [{}, {}]",
            &["user-container-0", "user-container-1"],
        ),
        (
            "",
            "containers: [{}, {name: user-container-0}]",
            &["user-container-1", "user-container-0"],
        ),
        (
            "container-name-template: '{{.Name}}-c'",
            "containers: [{}]",
            &["s-c"],
        ),
        (
            "container-name-template: '{{.Name}}{{if .Labels.none}}-x{{end}}'",
            "containers: [{}]",
            &["s"],
        ),
        (
            "",
            "containers: [{}], initContainers: [{}]",
            &["user-container", "init-container"],
        ),
        (
            "",
            "containers: [{name: init-container}], initContainers: [{}]",
            &["init-container", "init-container-0"],
        ),
        (
            "container-name-template: c, init-container-name-template: c",
            "containers: [{}], initContainers: [{}]",
            &["c", "c"],
        ),
        (
            "container-name-template: '{{.Namespace}}'",
            "containers: [{}]",
            &["-0"],
        ),
        (
            "container-name-template: cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
            "containers: [{}, {}]",
            &[
                "ccccccccccccccccccccccccccccc73217c9c6a8ce08337e9de4ffcf15af4-0",
                "ccccccccccccccccccccccccccccc73217c9c6a8ce08337e9de4ffcf15af4-1",
            ],
        ),
    ] {
        assert_eq!(names(pairs, containers), expect, "{containers}");
    }
}

#[test]
fn resources_are_filled_in_one_by_one() {
    let pairs = "revision-cpu-request: 400m, revision-memory-limit: 200M";
    let filled = pod(
        pairs,
        "{containers: [{resources: {requests: {memory: 1M}}}, {resources: {requests: {cpu: 1}}}]}",
    );
    assert_eq!(
        filled["containers"][0]["resources"],
        json!({ "requests": { "cpu": "400m", "memory": "1M" }, "limits": { "memory": "200M" } })
    );
    assert_eq!(
        filled["containers"][1]["resources"]["requests"],
        json!({ "cpu": "1" })
    );
}

#[test]
fn probes_get_a_handler_and_thresholds() {
    let probe = |container: &str| {
        let pod = pod(
            "",
            &format!("{{containers: [{{ports: [{{}}], {container}}}, {{}}]}}"),
        );
        (
            pod["containers"][0]["readinessProbe"].clone(),
            pod["containers"][1].clone(),
        )
    };
    let (own, other) = probe("readinessProbe: {httpGet: {path: /x}, periodSeconds: 2}");
    assert_eq!(
        own,
        json!({ "httpGet": { "path": "/x", "port": 0 }, "periodSeconds": 2, "successThreshold": 1, "failureThreshold": 3, "timeoutSeconds": 1 })
    );
    assert!(other.get("readinessProbe").is_none());
    let (own, _) = probe("readinessProbe: {grpc: {port: 1}}, livenessProbe: {grpc: {}}");
    assert_eq!(
        own,
        json!({ "grpc": { "port": 1, "service": "" }, "successThreshold": 1 })
    );
}

#[test]
fn mounts_are_read_only_unless_they_can_be_written() {
    let pod = pod(
        "",
        "{containers: [{volumeMounts: [{name: s, mountPath: /s}, {name: e, mountPath: /e}]}], volumes: [{name: s, secret: {}}, {name: e, emptyDir: {}}]}",
    );
    let mounts = &pod["containers"][0]["volumeMounts"];
    assert_eq!(
        (&mounts[0]["readOnly"], &mounts[1]["readOnly"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn secure_defaults_close_what_is_open() {
    let context = |mode: &str, pod_fields: &str| {
        let pairs = format!("secure-pod-defaults: {mode}");
        pod(&pairs, &format!("{{{pod_fields}}}"))["containers"][0]["securityContext"].clone()
    };
    let closed = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    assert_eq!(context("Enabled", "containers: [{}]"), closed);
    let mut bounded = closed;
    bounded.as_object_mut().unwrap().remove("runAsNonRoot");
    assert_eq!(context("AllowRootBounded", "containers: [{}]"), bounded);
    assert_eq!(context("Disabled", "containers: [{}]"), Value::Null);
    let low = context(
        "AllowRootBounded",
        "containers: [{ports: [{containerPort: 80}]}]",
    );
    assert_eq!(
        low["capabilities"],
        json!({ "add": ["NET_BIND_SERVICE"], "drop": ["ALL"] })
    );
    let unnamed = context("Enabled", "containers: [{ports: [{}]}]");
    assert_eq!(unnamed["capabilities"], low["capabilities"]);
    let local = "containers: [{securityContext: {seccompProfile: {localhostProfile: x}}}]";
    assert_eq!(
        context("Enabled", local)["seccompProfile"],
        json!({ "type": "RuntimeDefault", "localhostProfile": "x" })
    );
    let of_pod = "securityContext: {seccompProfile: {}}";
    let closed = context("Enabled", &format!("containers: [{{}}], {of_pod}"));
    assert_eq!(closed["seccompProfile"]["type"], "RuntimeDefault");
    let of_pod = "securityContext: {runAsNonRoot: false, seccompProfile: {type: Unconfined}}";
    let open = context("Enabled", &format!("containers: [{{}}], {of_pod}"));
    assert!(open.get("seccompProfile").is_none() && open.get("runAsNonRoot").is_none());
}

#[test]
fn containers_that_run_first_get_a_name_only() {
    let pairs = "revision-cpu-request: 400m";
    let pod = pod(
        pairs,
        "{containers: [{}], initContainers: [{volumeMounts: [{name: v, mountPath: /v}]}]}",
    );
    assert_eq!(
        pod["initContainers"],
        json!([{
            "name": "init-container",
            "resources": {},
            "volumeMounts": [{ "name": "v", "mountPath": "/v" }],
        }])
    );
}

#[test]
fn a_pod_without_containers_gets_limits_only() {
    assert_eq!(
        pod("", "{}"),
        json!({ "containers": [], "containerConcurrency": 0, "timeoutSeconds": 300 })
    );
}

#[test]
fn amounts_from_the_settings_are_canonical() {
    let filled = pod("revision-memory-limit: 2048Mi", "{containers: [{}]}");
    let memory = &filled["containers"][0]["resources"]["limits"]["memory"];
    assert_eq!(memory, "2Gi");
}
