//! The form that an object takes when the API server's own types read and write it: what says
//! nothing is not there, and quantities are canonical. Whatever compares or judges objects does it
//! in this form, so that `hostNetwork: false` and no `hostNetwork` are the same.

use std::borrow::Cow;

use k8s_openapi::api::core::v1::PodSpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::quantity;
use crate::revision::{RevisionSpec, RevisionTemplate};
use crate::route::TrafficTarget;

/// Fields whose keys are the author's.
const MAPS: [&str; 8] = [
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "overhead",
    "requests",
    "volumeAttributes",
];
/// Those of them that hold quantities.
const AMOUNTS: [&str; 3] = ["limits", "overhead", "requests"];
/// Other fields that hold one.
const AMOUNT: [&str; 2] = ["divisor", "sizeLimit"];

/// Fields that mean something even if they are empty, zero or false.
const MEANT: [&str; 42] = [
    "activeDeadlineSeconds",
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "blockOwnerDeletion",
    "controller",
    "defaultMode",
    "deletionGracePeriodSeconds",
    "enableServiceLinks",
    "expirationSeconds",
    "fsGroup",
    "fsGroupChangePolicy",
    "hostUsers",
    "hostnameOverride",
    "localhostProfile",
    "minDomains",
    "mode",
    "mountPropagation",
    "nodeAffinityPolicy",
    "nodeTaintsPolicy",
    "optional",
    "port",
    "preemptionPolicy",
    "priority",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "recursiveReadOnly",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "runtimeClassName",
    "seLinuxChangePolicy",
    "service",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "sources",
    "storageClassName",
    "supplementalGroupsPolicy",
    "terminationGracePeriodSeconds",
    "tolerationSeconds",
    "volumeAttributesClassName",
    "volumeMode",
];
/// Fields that do so in one place only, with the field around them.
const MEANT_THERE: [(&str, &str); 6] = [
    ("clusterTrustBundle", "name"),
    ("clusterTrustBundle", "signerName"),
    ("csi", "fsType"),
    ("csi", "readOnly"),
    ("hostPath", "type"),
    ("options", "value"),
];

/// The template in its canonical form.
pub(crate) fn template(template: &RevisionTemplate) -> Cow<'_, RevisionTemplate> {
    let metadata = template.metadata.as_ref().map(tidied);
    let spec = spec(&template.spec);
    match (metadata, spec) {
        (Some(Cow::Borrowed(_)), Cow::Borrowed(_)) => Cow::Borrowed(template),
        (metadata, spec) => Cow::Owned(RevisionTemplate {
            metadata: Some(metadata.map(Cow::into_owned).unwrap_or_default()),
            spec: spec.into_owned(),
        }),
    }
}

/// The spec in its canonical form.
pub(crate) fn spec(spec: &RevisionSpec) -> Cow<'_, RevisionSpec> {
    let init = spec.pod.init_containers.iter().flatten();
    let mut containers = spec.pod.containers.iter().chain(init);
    let whole = containers.all(|container| container.resources.is_some());
    match tidied(&spec.pod) {
        Cow::Borrowed(_) if whole => Cow::Borrowed(spec),
        pod => {
            let mut pod = pod.into_owned();
            let init = pod.init_containers.iter_mut().flatten();
            for container in pod.containers.iter_mut().chain(init) {
                container.resources.get_or_insert_default();
            }
            Cow::Owned(RevisionSpec {
                pod,
                ..with_empty_pod(spec)
            })
        }
    }
}

fn with_empty_pod(spec: &RevisionSpec) -> RevisionSpec {
    RevisionSpec {
        container_concurrency: spec.container_concurrency,
        timeout_seconds: spec.timeout_seconds,
        response_start_timeout_seconds: spec.response_start_timeout_seconds,
        idle_timeout_seconds: spec.idle_timeout_seconds,
        pod: PodSpec::default(),
    }
}

/// The traffic in its canonical form.
pub(crate) fn traffic(targets: &[TrafficTarget]) -> Vec<TrafficTarget> {
    let mut targets = targets.to_vec();
    for target in &mut targets {
        drop_empty(&mut target.tag);
        drop_empty(&mut target.revision_name);
        drop_empty(&mut target.configuration_name);
    }
    targets
}

/// An empty text says nothing.
pub(crate) fn drop_empty(text: &mut Option<String>) {
    *text = text.take().filter(|text| !text.is_empty());
}

/// Whether both are the same; amounts are, in any spelling.
pub(crate) fn same<T: PartialEq + Serialize>(one: &T, other: &T) -> bool {
    if one == other {
        return true;
    }
    match (serde_json::to_value(one), serde_json::to_value(other)) {
        (Ok(one), Ok(other)) => equal("", &one, &other),
        _ => false,
    }
}

/// Whether both values of `field` are the same; amounts are, in any spelling.
pub(crate) fn equal(field: &str, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| {
                    let inner = if AMOUNTS.contains(&field) { field } else { key };
                    other
                        .get(key)
                        .is_some_and(|other| equal(inner, value, other))
                })
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(field, a, b))
        }
        (Value::String(one), Value::String(other)) if is_amount(field) => {
            quantity::same(one, other)
        }
        _ => one == other,
    }
}

/// Whether the values of `field` are quantities.
pub(crate) fn is_amount(field: &str) -> bool {
    AMOUNTS.contains(&field) || AMOUNT.contains(&field)
}

/// The object without what says nothing; borrowed if there is nothing of that kind.
fn tidied<T: Clone + DeserializeOwned + Serialize>(object: &T) -> Cow<'_, T> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(object) else {
        return Cow::Borrowed(object);
    };
    if !tidy(&mut fields, "") {
        return Cow::Borrowed(object);
    }
    serde_json::from_value(Value::Object(fields)).map_or(Cow::Borrowed(object), Cow::Owned)
}

/// Puts the fields of `around` in canonical form. Says whether anything changed.
fn tidy(fields: &mut Map<String, Value>, around: &str) -> bool {
    let before = fields.len();
    let unsaid = match around {
        "resourceFieldRef" => Some(("divisor", json!("0"))),
        "volumeClaimTemplate" => Some(("metadata", json!({}))),
        // The only spec in a pod is that of a claim.
        "spec" => Some(("resources", json!({}))),
        _ => None,
    };
    if let Some((name, value)) = unsaid {
        fields.entry(name).or_insert(value);
    }
    let mut changed = fields.len() != before;
    fields.retain(|name, value| {
        changed |= tidy_inside(name, value);
        let says = says_something(around, name, value);
        changed |= !says;
        says
    });
    changed
}

/// Tidies what is below `value`.
fn tidy_inside(name: &str, value: &mut Value) -> bool {
    match value {
        Value::Object(amounts) if AMOUNTS.contains(&name) => {
            let changes = amounts.values_mut().map(write_canonical);
            changes.filter(|changed| *changed).count() > 0
        }
        Value::Object(_) if MAPS.contains(&name) => false,
        Value::Object(inner) => tidy(inner, name),
        Value::Array(list) => {
            let objects = list.iter_mut().filter_map(Value::as_object_mut);
            let changes = objects.map(|inner| tidy(inner, name));
            changes.filter(|changed| *changed).count() > 0
        }
        Value::String(_) if AMOUNT.contains(&name) => write_canonical(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn write_canonical(amount: &mut Value) -> bool {
    let Some(text) = amount.as_str() else {
        return false;
    };
    match quantity::canonical(text) {
        Some(canonical) if canonical != text => {
            *amount = Value::String(canonical);
            true
        }
        _ => false,
    }
}

fn says_something(around: &str, name: &str, value: &Value) -> bool {
    let meant = || MEANT.contains(&name) || MEANT_THERE.contains(&(around, name));
    match value {
        Value::Null => false,
        Value::Bool(on) => *on || meant(),
        Value::Number(number) => number.as_i64() != Some(0) || meant(),
        Value::String(text) => !text.is_empty() || meant(),
        Value::Array(list) => !list.is_empty() || meant(),
        Value::Object(fields) => !fields.is_empty() || !MAPS.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{same, spec};

    fn canonical(yaml: &str) -> Value {
        let read = serde_yaml::from_str(yaml).unwrap();
        serde_json::to_value(&spec(&read).pod).unwrap()
    }

    #[test]
    fn what_says_nothing_is_not_there() {
        for fields in [
            "hostNetwork: false",
            "serviceAccountName: ''",
            "tolerations: []",
            "nodeSelector: {}",
        ] {
            let yaml = format!("{{containers: [], {fields}}}");
            assert_eq!(canonical(&yaml), json!({ "containers": [] }), "{fields}");
        }
        let container = "{containers: [{name: c, args: [], env: [{name: A, value: ''}], stdin: false, livenessProbe: {periodSeconds: 0, exec: {command: []}}}]}";
        assert_eq!(
            canonical(container)["containers"][0],
            json!({ "name": "c", "env": [{ "name": "A" }], "livenessProbe": { "exec": {} }, "resources": {} })
        );
    }

    #[test]
    fn what_means_something_stays() {
        for (fields, expect) in [
            ("securityContext: {}", json!({})),
            ("securityContext: {runAsUser: 0}", json!({ "runAsUser": 0 })),
            ("enableServiceLinks: false", json!(false)),
            ("runtimeClassName: ''", json!("")),
            (
                "volumes: [{name: v, emptyDir: {}}]",
                json!([{ "name": "v", "emptyDir": {} }]),
            ),
            (
                "volumes: [{name: v, csi: {driver: d, readOnly: false}}]",
                json!([{ "name": "v", "csi": { "driver": "d", "readOnly": false } }]),
            ),
            ("nodeSelector: {a: ''}", json!({ "a": "" })),
        ] {
            let seen = canonical(&format!("{{containers: [], {fields}}}"));
            let (field, _) = fields.split_once(':').unwrap();
            assert_eq!(seen[field], expect, "{fields}");
        }
        let args = canonical("{containers: [{name: c, args: ['']}]}");
        assert_eq!(args["containers"][0]["args"], json!([""]));
    }

    #[test]
    fn amounts_are_canonical_and_compared_as_amounts() {
        let yaml = "{containers: [{name: c, resources: {limits: {cpu: 1000m, memory: '0.5Gi'}}}], volumes: [{name: v, emptyDir: {sizeLimit: 2048Ki}}]}";
        let seen = canonical(yaml);
        assert_eq!(
            seen["containers"][0]["resources"]["limits"],
            json!({ "cpu": "1", "memory": "512Mi" })
        );
        assert_eq!(seen["volumes"][0]["emptyDir"]["sizeLimit"], "2Mi");
        let with = |memory: &str| json!({ "limits": { "memory": memory } });
        assert!(same(&with("1Gi"), &with("1073741824")));
        assert!(!same(&with("1Gi"), &with("1G")));
        assert!(!same(
            &json!({ "image": "1000m" }),
            &json!({ "image": "1" })
        ));
    }

    #[test]
    fn fields_that_are_always_written_are_there() {
        let yaml = "{containers: [{name: c, env: [{name: A, valueFrom: {resourceFieldRef: {resource: r}}}]}], volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}";
        let seen = canonical(yaml);
        let from = &seen["containers"][0]["env"][0]["valueFrom"];
        assert_eq!(from["resourceFieldRef"]["divisor"], "0");
        assert_eq!(
            seen["volumes"][0]["ephemeral"]["volumeClaimTemplate"],
            json!({ "metadata": {}, "spec": { "resources": {} } })
        );
    }

    #[test]
    fn the_canonical_form_is_its_own() {
        let yaml = "{containers: [{name: c, ports: [{containerPort: 0, name: ''}], resources: {limits: {cpu: '0.5'}}}], hostAliases: [{ip: ''}]}";
        let read = serde_yaml::from_str(yaml).unwrap();
        let once = spec(&read);
        assert_eq!(spec(&once), once);
    }
}
