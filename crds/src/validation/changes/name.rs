//! Names of fields and types as the peer's messages have them.

use serde_json::{Map, Value};

/// Fields in the order in which changes are told; others follow by name.
const ORDER: [&str; 50] = [
    "metadata",
    "spec",
    "name",
    "generateName",
    "labels",
    "annotations",
    "volumes",
    "initContainers",
    "containers",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "automountServiceAccountToken",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "imagePullSecrets",
    "affinity",
    "schedulerName",
    "tolerations",
    "hostAliases",
    "priorityClassName",
    "dnsConfig",
    "runtimeClassName",
    "enableServiceLinks",
    "topologySpreadConstraints",
    "containerConcurrency",
    "timeoutSeconds",
    "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "resources",
    "volumeMounts",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "limits",
    "runAsUser",
    "runAsNonRoot",
];
/// Fields of a revision that are not its pod's.
const OF_REVISION: [&str; 4] = [
    "containerConcurrency",
    "idleTimeoutSeconds",
    "responseStartTimeoutSeconds",
    "timeoutSeconds",
];
const HANDLERS: [&str; 4] = ["exec", "grpc", "httpGet", "tcpSocket"];
const REFERENCES: [&str; 4] = [
    "configMapKeyRef",
    "configMapRef",
    "secretKeyRef",
    "secretRef",
];
/// Names that are not just the field with a capital letter.
const ABBREVIATED: [(&str, &str); 10] = [
    ("csi", "CSI"),
    ("dnsConfig", "DNSConfig"),
    ("dnsPolicy", "DNSPolicy"),
    ("fsGroup", "FSGroup"),
    ("grpc", "GRPC"),
    ("httpGet", "HTTPGet"),
    ("httpHeaders", "HTTPHeaders"),
    ("ip", "IP"),
    ("metadata", "ObjectMeta"),
    ("tcpSocket", "TCPSocket"),
];
/// Lists and maps of which the items have a type.
const ITEMS: [(&str, &str); 13] = [
    ("containers", "v1.Container"),
    ("env", "v1.EnvVar"),
    ("envFrom", "v1.EnvFromSource"),
    ("hostAliases", "v1.HostAlias"),
    ("imagePullSecrets", "v1.LocalObjectReference"),
    ("initContainers", "v1.Container"),
    ("items", "v1.KeyToPath"),
    ("limits", "resource.Quantity"),
    ("ports", "v1.ContainerPort"),
    ("requests", "resource.Quantity"),
    ("tolerations", "v1.Toleration"),
    ("volumeMounts", "v1.VolumeMount"),
    ("volumes", "v1.Volume"),
];
/// Items that are shown with all their fields, and what those show if nothing is said.
const WHOLE: [(&str, &[(&str, &str)]); 3] = [
    ("env", &[("name", ""), ("value", ""), ("valueFrom", "nil")]),
    (
        "ports",
        &[
            ("name", ""),
            ("hostPort", "0"),
            ("containerPort", "0"),
            ("protocol", ""),
            ("hostIP", ""),
        ],
    ),
    (
        "volumeMounts",
        &[
            ("name", ""),
            ("readOnly", "false"),
            ("recursiveReadOnly", "<nil>"),
            ("mountPath", ""),
            ("subPath", ""),
            ("mountPropagation", "<nil>"),
            ("subPathExpr", ""),
        ],
    ),
];
/// Single values of which the absent one is not the same as the empty one.
const OPTIONAL: [&str; 14] = [
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "containerConcurrency",
    "defaultMode",
    "enableServiceLinks",
    "idleTimeoutSeconds",
    "mountPropagation",
    "optional",
    "readOnlyRootFilesystem",
    "responseStartTimeoutSeconds",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "shareProcessNamespace",
];

/// Place of a field of `around` among others.
pub(super) fn rank(around: &str, field: &str) -> (usize, String) {
    let own = whole(around).iter().position(|(known, _)| *known == field);
    let place = own.or_else(|| ORDER.iter().position(|known| *known == field));
    (place.unwrap_or(ORDER.len()), field.to_owned())
}

/// All fields of an item of `list`, with what they show if nothing is said; empty if that is not
/// known.
fn whole(list: &str) -> &'static [(&'static str, &'static str)] {
    let whole = WHOLE.iter().find(|(known, _)| *known == list);
    whole.map_or(&[], |(_, fields)| fields)
}

/// The name of `field` inside `around`, with the struct that it is embedded in.
pub(super) fn in_go(around: &str, field: &str) -> String {
    let embedded = match around {
        "spec" if !OF_REVISION.contains(&field) => "PodSpec.",
        "volumes" if field != "name" => "VolumeSource.",
        "livenessProbe" | "readinessProbe" | "startupProbe" if HANDLERS.contains(&field) => {
            "ProbeHandler."
        }
        "configMap" if field == "name" => "LocalObjectReference.",
        _ if field == "name" && REFERENCES.contains(&around) => "LocalObjectReference.",
        _ => "",
    };
    format!("{embedded}{}", capitalised(field))
}

fn capitalised(field: &str) -> String {
    if let Some((_, name)) = ABBREVIATED.iter().find(|(known, _)| *known == field) {
        return (*name).to_owned();
    }
    let mut chars = field.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Whether the keys below `field` are the author's.
pub(super) fn is_map(field: &str) -> bool {
    matches!(
        field,
        "annotations" | "labels" | "limits" | "nodeSelector" | "requests"
    )
}

/// Whether the absent value of `field` is not the same as the empty one.
pub(super) fn is_optional(field: &str) -> bool {
    OPTIONAL.contains(&field) || field == "timeoutSeconds"
}

/// Whether the value is a number or a name.
pub(super) fn is_port(path: &str) -> bool {
    path.ends_with(".HTTPGet.Port") || path.ends_with(".TCPSocket.Port")
}

/// The type of what a list or a map holds; nothing for texts.
pub(super) fn of_item(field: &str) -> &'static str {
    let known = ITEMS.iter().find(|(known, _)| *known == field);
    known.map_or("", |(_, kind)| kind)
}

/// A value of `field`: texts as they are, lists as `[a b]`, objects as `{Name:a Value:b}`.
pub(super) fn shown(field: &str, value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| shown(field, item)).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(entries) if is_map(field) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key}:{}", shown(key, value)));
            format!("map[{}]", entries.collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => object(field, fields),
    }
}

fn object(field: &str, fields: &Map<String, Value>) -> String {
    let unsaid = whole(field);
    let said = fields.keys().map(String::as_str);
    let mut names: Vec<&str> = unsaid.iter().map(|(name, _)| *name).chain(said).collect();
    names.sort_by_cached_key(|name| rank(field, name));
    names.dedup();
    let shown = names.into_iter().map(|name| {
        let zero = unsaid.iter().find(|(known, _)| *known == name);
        let zero = zero.map_or("", |(_, zero)| zero);
        let value = fields.get(name).map(|value| shown(name, value));
        format!("{}:{}", capitalised(name), value.as_deref().unwrap_or(zero))
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(" "))
}
