//! The schema of a revision's spec, cut out of Kubernetes' schema of a pod.

use serde_json::{Value, json};

use super::shape::Shape::{Each, Fields, Opaque, Opaques, Whole};
use super::shape::{Shape, cut, keyed_by, optional};

/// What the schema lets through. Fields behind feature flags are opaque: the webhook decides.
const POD: Shape = Fields(&[
    ("affinity", Opaque),
    ("automountServiceAccountToken", Whole),
    ("containers", Each(CONTAINER)),
    ("dnsConfig", Opaque),
    ("dnsPolicy", Whole),
    ("enableServiceLinks", Whole),
    ("hostAliases", Opaques),
    ("hostIPC", Whole),
    ("hostNetwork", Whole),
    ("hostPID", Whole),
    ("imagePullSecrets", Whole),
    ("initContainers", Opaques),
    ("nodeSelector", Whole),
    ("priorityClassName", Whole),
    ("runtimeClassName", Whole),
    ("schedulerName", Whole),
    ("securityContext", Opaque),
    ("serviceAccountName", Whole),
    ("shareProcessNamespace", Whole),
    ("tolerations", Opaques),
    ("topologySpreadConstraints", Opaques),
    ("volumes", Each(VOLUME)),
]);

const CONTAINER: &[(&str, Shape)] = &[
    ("args", Whole),
    ("command", Whole),
    (
        "env",
        Each(&[
            ("name", Whole),
            ("value", Whole),
            ("valueFrom", Fields(ENV_SOURCE)),
        ]),
    ),
    ("envFrom", Whole),
    ("image", Whole),
    ("imagePullPolicy", Whole),
    ("livenessProbe", Whole),
    ("name", Whole),
    (
        "ports",
        Each(&[
            ("containerPort", Whole),
            ("name", Whole),
            ("protocol", Whole),
        ]),
    ),
    ("readinessProbe", Whole),
    (
        "resources",
        Fields(&[("limits", Whole), ("requests", Whole)]),
    ),
    ("securityContext", Fields(SECURITY_CONTEXT)),
    ("startupProbe", Whole),
    ("terminationMessagePath", Whole),
    ("terminationMessagePolicy", Whole),
    ("volumeMounts", Each(VOLUME_MOUNT)),
    ("workingDir", Whole),
];

const ENV_SOURCE: &[(&str, Shape)] = &[
    ("configMapKeyRef", Whole),
    ("fieldRef", Opaque),
    ("resourceFieldRef", Opaque),
    ("secretKeyRef", Whole),
];

const SECURITY_CONTEXT: &[(&str, Shape)] = &[
    ("allowPrivilegeEscalation", Whole),
    ("capabilities", Whole),
    ("privileged", Whole),
    ("readOnlyRootFilesystem", Whole),
    ("runAsGroup", Whole),
    ("runAsNonRoot", Whole),
    ("runAsUser", Whole),
    ("seccompProfile", Whole),
];

const VOLUME_MOUNT: &[(&str, Shape)] = &[
    ("mountPath", Whole),
    ("mountPropagation", Whole),
    ("name", Whole),
    ("readOnly", Whole),
    ("subPath", Whole),
];

const VOLUME: &[(&str, Shape)] = &[
    ("configMap", Whole),
    ("csi", Opaque),
    ("emptyDir", Opaque),
    ("ephemeral", Opaque),
    ("hostPath", Opaque),
    ("image", Opaque),
    ("name", Whole),
    ("persistentVolumeClaim", Opaque),
    (
        "projected",
        Fields(&[("defaultMode", Whole), ("sources", Each(PROJECTION))]),
    ),
    ("secret", Whole),
];

const PROJECTION: &[(&str, Shape)] = &[
    ("configMap", Whole),
    ("downwardAPI", Whole),
    ("secret", Whole),
    ("serviceAccountToken", Whole),
];

/// The schema of a RevisionSpec, from the schema of a PodSpec.
pub(super) fn revision_spec(pod: Value) -> Value {
    let mut spec = cut(pod, &POD);
    spec["description"] = json!("Pod and request rules of the revision.");
    let properties = &mut spec["properties"];
    for (name, description) in [
        (
            "containerConcurrency",
            "Most requests that one pod gets at once; 0 is no limit.",
        ),
        (
            "timeoutSeconds",
            "Longest time for one request, in seconds.",
        ),
        (
            "responseStartTimeoutSeconds",
            "Longest time until the answer starts, in seconds.",
        ),
        (
            "idleTimeoutSeconds",
            "Longest pause in the answer, in seconds; 0 is off.",
        ),
    ] {
        properties[name] =
            json!({ "description": description, "type": "integer", "format": "int64" });
    }
    keyed_by(&mut properties["imagePullSecrets"], "name");
    keyed_by(&mut properties["volumes"], "name");
    properties["nodeSelector"]["x-kubernetes-map-type"] = json!("atomic");
    container(&mut properties["containers"]["items"]);
    default_names(properties);
    spec
}

fn container(container: &mut Value) {
    optional(container, "name");
    let properties = &mut container["properties"];
    keyed_by(&mut properties["env"], "name");
    keyed_by(&mut properties["volumeMounts"], "mountPath");
    let port = &mut properties["ports"]["items"];
    optional(port, "containerPort");
    port["properties"]["protocol"]["default"] = json!("TCP");
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let handlers = &mut properties[probe]["properties"];
        for handler in ["grpc", "httpGet", "tcpSocket"] {
            optional(&mut handlers[handler], "port");
        }
        handlers["grpc"]["properties"]["service"]["default"] = json!("");
    }
}

/// References to config maps and secrets get the empty name as default, as in Kubernetes, so that
/// the name can be a list key.
fn default_names(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let named = field.pointer("/properties/name").is_some();
                if named && is_reference(name) {
                    field["properties"]["name"]["default"] = json!("");
                }
                if name == "imagePullSecrets" {
                    field["items"]["properties"]["name"]["default"] = json!("");
                }
                default_names(field);
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(default_names),
        _ => {}
    }
}

fn is_reference(field: &str) -> bool {
    matches!(
        field,
        "configMapKeyRef" | "secretKeyRef" | "configMapRef" | "secretRef" | "configMap" | "secret"
    )
}
