//! The schema of a revision's spec, cut out of Kubernetes' schema of a pod.

use serde_json::{Value, json};

use super::shape::Shape::{Each, Fields, Opaque, Opaques, Whole};
use super::shape::{Shape, atomic, cut, keyed_by, optional};
use super::words;

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
    ("livenessProbe", Fields(PROBE)),
    ("name", Whole),
    (
        "ports",
        Each(&[
            ("containerPort", Whole),
            ("name", Whole),
            ("protocol", Whole),
        ]),
    ),
    ("readinessProbe", Fields(PROBE)),
    (
        "resources",
        Fields(&[("limits", Whole), ("requests", Whole)]),
    ),
    ("securityContext", Fields(SECURITY_CONTEXT)),
    ("startupProbe", Fields(PROBE)),
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

const PROBE: &[(&str, Shape)] = &[
    ("exec", Whole),
    ("failureThreshold", Whole),
    ("grpc", Whole),
    ("httpGet", Whole),
    ("initialDelaySeconds", Whole),
    ("periodSeconds", Whole),
    ("successThreshold", Whole),
    ("tcpSocket", Whole),
    ("timeoutSeconds", Whole),
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

/// What Kubernetes reads as a quantity.
const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// The schema of a RevisionSpec, from the schema of a PodSpec.
pub(super) fn revision_spec(pod: Value) -> Value {
    let mut spec = cut(pod, &POD);
    let properties = &mut spec["properties"];
    for seconds in [
        "timeoutSeconds",
        "responseStartTimeoutSeconds",
        "idleTimeoutSeconds",
    ] {
        properties[seconds] = json!({ "type": "integer", "format": "int64" });
    }
    properties["containerConcurrency"] = json!({ "type": "integer", "format": "int64" });
    keyed_by(&mut properties["imagePullSecrets"], "name");
    keyed_by(&mut properties["volumes"], "name");
    atomic(&mut properties["nodeSelector"]);
    atomic(&mut properties["imagePullSecrets"]["items"]);
    container(&mut properties["containers"]["items"]);
    finish_references(properties);
    words::describe(&mut spec);
    spec
}

fn container(container: &mut Value) {
    optional(container, "name");
    let properties = &mut container["properties"];
    keyed_by(&mut properties["env"], "name");
    keyed_by(&mut properties["volumeMounts"], "mountPath");
    for kind in ["limits", "requests"] {
        let amounts = &mut properties["resources"]["properties"][kind];
        amounts["additionalProperties"]["pattern"] = json!(QUANTITY);
    }
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

/// A reference is replaced as a whole by server-side apply. Those to config maps and secrets get the
/// empty name as default, as in Kubernetes, so that the name can be a list key.
fn finish_references(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if matches!(name.as_str(), "fieldRef" | "resourceFieldRef") {
                    atomic(field);
                }
                if name == "divisor" {
                    field["pattern"] = json!(QUANTITY);
                }
                if is_named(name) && field.pointer("/properties/name").is_some() {
                    atomic(field);
                    unnamed(field);
                }
                if name == "imagePullSecrets" {
                    unnamed(&mut field["items"]);
                }
                finish_references(field);
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(finish_references),
        _ => {}
    }
}

fn unnamed(reference: &mut Value) {
    optional(reference, "name");
    reference["properties"]["name"]["default"] = json!("");
}

fn is_named(field: &str) -> bool {
    matches!(
        field,
        "configMapKeyRef" | "secretKeyRef" | "configMapRef" | "secretRef" | "configMap" | "secret"
    )
}
