use super::{check, container_faults, pod_faults};

/// A pod with one volume, mounted read-only.
fn volume_faults(settings: &str, volume: &str) -> String {
    let pod = format!(
        "{{containers: [{{image: a/b, volumeMounts: [{{name: v, mountPath: /v, readOnly: true}}]}}], volumes: [{{name: v, {volume}}}]}}"
    );
    pod_faults(settings, &pod)
        .replace("volumes[0].", "")
        .replace(": volumes[0]", ": ")
}

const NO_SOURCE: &str = "expected exactly one, got neither: configMap, emptyDir, projected, secret";

const SOURCES: &[(&str, &str, &str)] = &[
    ("", "secret: {secretName: s}", ""),
    ("", "configMap: {name: m}", ""),
    ("", "emptyDir: {}", ""),
    ("", "", NO_SOURCE),
    (
        "",
        "secret: {secretName: s}, configMap: {name: m}",
        "expected exactly one, got both: configMap, secret",
    ),
    (
        "kubernetes.podspec-volumes-csi: Enabled, kubernetes.podspec-volumes-emptydir: Allowed",
        "",
        "expected exactly one, got neither: configMap, csi, projected, secret",
    ),
    ("", "secret: {}", ""),
    ("", "configMap: {}", ""),
    (
        "",
        "secret: {items: [{key: a, path: b}, {}]}",
        "missing field(s): items[1].key, items[1].path",
    ),
    (
        "",
        "configMap: {name: m, items: [{key: a}]}",
        "missing field(s): items[0].path",
    ),
    ("", "emptyDir: {medium: Memory, sizeLimit: 1Gi}", ""),
    (
        "",
        "emptyDir: {sizeLimit: -0.5Gi}",
        "invalid value: -512Mi: emptyDir.sizeLimit",
    ),
    (
        "kubernetes.podspec-volumes-image: Enabled",
        "image: {pullPolicy: Often}",
        "invalid value: Often: image.pullPolicy\nmissing field(s): image.reference",
    ),
    (
        "kubernetes.podspec-volumes-csi: Allowed",
        "csi: {driver: d}",
        "CSI volume support is disabled, but found CSI volume v: ",
    ),
    (
        "",
        "emptyDir: {medium: Tape}",
        "invalid value: Tape: emptyDir.medium",
    ),
    (
        "kubernetes.podspec-volumes-emptydir: Disabled",
        "emptyDir: {}",
        "EmptyDir volume support is disabled, but found EmptyDir volume v: \nmust not set the field(s): emptyDir",
    ),
    (
        "",
        "hostPath: {path: /x}",
        "HostPath volume support is disabled, but found HostPath volume v: \nmust not set the field(s): hostPath",
    ),
    (
        "",
        "csi: {driver: d}",
        "CSI volume support is disabled, but found CSI volume v: \nmust not set the field(s): csi",
    ),
    (
        "",
        "ephemeral: {}",
        "Ephemeral volume support is disabled, but found Ephemeral volume v: \nmust not set the field(s): ephemeral",
    ),
    (
        "",
        "image: {reference: r}",
        "Image volume support is disabled, but found Image volume v: \nmust not set the field(s): image",
    ),
    (
        "kubernetes.podspec-volumes-hostpath: Enabled",
        "hostPath: {path: /x}",
        "",
    ),
    (
        "kubernetes.podspec-volumes-csi: Enabled",
        "csi: {driver: d}",
        "",
    ),
    (
        "kubernetes.podspec-volumes-ephemeral: Enabled",
        "ephemeral: {}",
        "",
    ),
    (
        "kubernetes.podspec-volumes-image: Enabled",
        "image: {reference: r}",
        "",
    ),
    (
        "kubernetes.podspec-persistent-volume-write: Enabled",
        "persistentVolumeClaim: {claimName: c}",
        "Persistent volume claim support is disabled, but found persistent volume claim c: \nmust not set the field(s): persistentVolumeClaim",
    ),
    (
        "kubernetes.podspec-persistent-volume-claim: Enabled",
        "persistentVolumeClaim: {claimName: c}",
        "Persistent volume write support is disabled, but found persistent volume claim c that is not read-only: ",
    ),
    (
        "kubernetes.podspec-persistent-volume-claim: Enabled",
        "persistentVolumeClaim: {claimName: c, readOnly: true}",
        "",
    ),
    (
        "",
        "nfs: {path: /, server: s}, emptyDir: {}",
        "must not set the field(s): nfs",
    ),
];

#[test]
fn volumes_have_one_source_that_is_allowed() {
    check(SOURCES, volume_faults);
}

#[test]
fn projected_volumes_have_sources_of_four_kinds() {
    check(
        &[
            (
                "",
                "projected: {sources: [{secret: {name: s}}, {configMap: {name: m}}]}",
                "",
            ),
            (
                "",
                "projected: {sources: [{serviceAccountToken: {path: p}}, {downwardAPI: {}}]}",
                "",
            ),
            (
                "",
                "projected: {sources: [{}]}",
                "expected exactly one, got neither: projected[0].configMap, projected[0].downwardAPI, projected[0].secret, projected[0].serviceAccountToken",
            ),
            (
                "",
                "projected: {sources: [{secret: {name: s}, downwardAPI: {}}]}",
                "expected exactly one, got both: projected[0].downwardAPI, projected[0].secret",
            ),
            (
                "",
                "projected: {sources: [{secret: {}}]}",
                "missing field(s): projected[0].secret.name",
            ),
            (
                "",
                "projected: {sources: [{configMap: {}}]}",
                "missing field(s): projected[0].configMap.name",
            ),
            (
                "",
                "projected: {sources: [{serviceAccountToken: {}}]}",
                "missing field(s): projected[0].serviceAccountToken.path",
            ),
            (
                "",
                "projected: {sources: [{clusterTrustBundle: {path: p}}]}",
                "expected exactly one, got neither: projected[0].configMap, projected[0].downwardAPI, projected[0].secret, projected[0].serviceAccountToken\nmust not set the field(s): projected[0].clusterTrustBundle",
            ),
            (
                "",
                "projected: {sources: [{downwardAPI: {items: [{path: p}]}}]}",
                "expected exactly one, got neither: projected[0].downwardAPI.items[0].fieldRef, projected[0].downwardAPI.items[0].resourceFieldRef",
            ),
            (
                "",
                "projected: {sources: [{downwardAPI: {items: [{fieldRef: {}, resourceFieldRef: {}}]}}]}",
                "Within a single item, cannot set both: projected[0].downwardAPI.items[0].fieldRef, projected[0].downwardAPI.items[0].resourceFieldRef\nmissing field(s): projected[0].downwardAPI.items[0].path",
            ),
        ],
        volume_faults,
    );
}

#[test]
fn volumes_have_names_and_are_mounted() {
    let mounted = "containers: [{image: a/b, volumeMounts: [{name: v, mountPath: /v}]}]";
    let bad_name = format!(
        "{{{mounted}, volumes: [{{name: v, emptyDir: {{}}}}, {{name: V_, emptyDir: {{}}}}]}}"
    );
    let hidden = "{containers: [{image: a/b, volumeMounts: [{name: '', mountPath: /v, readOnly: true}]}], volumes: [{csi: {driver: d}}]}";
    check(
        &[
            (
                "",
                &format!("{{{mounted}, volumes: [{{name: v, emptyDir: {{}}}}]}}"),
                "",
            ),
            (
                "",
                &format!(
                    "{{{mounted}, volumes: [{{name: v, emptyDir: {{}}}}, {{name: w, emptyDir: {{}}}}]}}"
                ),
                "volume with name \"w\" not mounted: volumes[1].name",
            ),
            (
                "",
                &format!(
                    "{{{mounted}, volumes: [{{name: v, emptyDir: {{}}}}, {{name: v, emptyDir: {{}}}}]}}"
                ),
                "duplicate volume name \"v\": volumes[1].name",
            ),
            (
                "",
                &format!("{{{mounted}}}"),
                "volume mount should be readOnly for this type of volume: containers[0].volumeMounts[0].readOnly\nvolumeMount has no matching volume: containers[0].volumeMounts[0].name",
            ),
            (
                "",
                &bad_name,
                "invalid value: V_: volumes[1].name\nvolume with name \"V_\" not mounted: volumes[1].name",
            ),
            (
                "",
                hidden,
                "missing field(s): volumes[0].name\nmust not set the field(s): volumes[0].csi",
            ),
        ],
        pod_faults,
    );
}

/// One mount of an emptyDir `e`, a secret `s` or a read-only claim `c`; all are mounted elsewhere.
fn mount_faults(settings: &str, mount: &str) -> String {
    let elsewhere = "{name: e, mountPath: /e}, {name: s, mountPath: /s, readOnly: true}, {name: c, mountPath: /c, readOnly: true}";
    let pod = format!(
        "{{containers: [{{image: a/b, volumeMounts: [{{{mount}}}, {elsewhere}]}}], volumes: [{{name: e, emptyDir: {{}}}}, {{name: s, secret: {{secretName: x}}}}, {{name: c, persistentVolumeClaim: {{claimName: c, readOnly: true}}}}]}}"
    );
    let settings = format!("kubernetes.podspec-persistent-volume-claim: Enabled, {settings}");
    pod_faults(&settings, &pod).replace("containers[0].volumeMounts[0].", "")
}

#[test]
fn mounts_have_paths_of_their_own() {
    check(
        &[
            ("", "name: e", "missing field(s): mountPath"),
            ("", "name: e, mountPath: x", "invalid value: x: mountPath"),
            (
                "",
                "name: e, mountPath: /",
                "mountPath \"/\" is a reserved path: mountPath",
            ),
            (
                "",
                "name: e, mountPath: /dev",
                "mountPath \"/dev\" is a reserved path: mountPath",
            ),
            (
                "",
                "name: e, mountPath: /dev/log/",
                "mountPath \"/dev/log\" is a reserved path: mountPath",
            ),
            (
                "",
                "name: e, mountPath: /x/../dev",
                "mountPath \"/dev\" is a reserved path: mountPath",
            ),
            (
                "",
                "name: e, mountPath: /e",
                "invalid value: \"/e\" must be unique: containers[0].volumeMounts[1].mountPath",
            ),
            (
                "",
                "name: e, mountPath: /e/../e/.",
                "invalid value: \"/e\" must be unique: containers[0].volumeMounts[1].mountPath",
            ),
            (
                "",
                "name: e, mountPath: ../dev",
                "invalid value: ../dev: mountPath",
            ),
        ],
        mount_faults,
    );
    assert_eq!(container_faults("", "volumeMounts: []"), "");
}

#[test]
fn mounts_may_not_do_more_than_their_volume() {
    let on = "kubernetes.podspec-volumes-mount-propagation: Enabled";
    check(
        &[
            ("", "name: e, mountPath: /x, subPath: y", ""),
            ("", "name: s, mountPath: /x, readOnly: true", ""),
            (
                "",
                "name: s, mountPath: /x",
                "volume mount should be readOnly for this type of volume: readOnly",
            ),
            (
                "",
                "name: c, mountPath: /x",
                "volume is readOnly but volume mount is not: readOnly",
            ),
            (
                "",
                "name: e, mountPath: /x, subPathExpr: $(X)",
                "must not set the field(s): subPathExpr",
            ),
            (
                "",
                "name: e, mountPath: /x, mountPropagation: None",
                "Volume Mount Propagation support is disabled, but found volume mount e with mount propagation: \nmust not set the field(s): mountPropagation",
            ),
            (
                "kubernetes.podspec-volumes-mount-propagation: Allowed",
                "name: e, mountPath: /x, mountPropagation: None",
                "Volume Mount Propagation support is disabled, but found volume mount e with mount propagation: ",
            ),
            (on, "name: e, mountPath: /x, mountPropagation: None", ""),
            (
                on,
                "name: e, mountPath: /x, mountPropagation: HostToContainer",
                "",
            ),
            (
                on,
                "name: e, mountPath: /x, mountPropagation: Bidirectional",
                "mount propagation should be set to None or HostToContainer: mountPropagation",
            ),
        ],
        mount_faults,
    );
}
