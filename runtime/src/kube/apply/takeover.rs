//! Takes over what the controllers of Knative have made: their fields become ours, so that
//! server-side apply can drop them.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Names under which Knative's processes write, and the one that the API server gives to fields
/// from before the first apply.
const PREDECESSORS: [&str; 3] = ["controller", "autoscaler", "before-first-apply"];
const UPDATE: &str = "Update";
const APPLY: &str = "Apply";

/// Hands the fields of our predecessors on the object to `manager`, if there are any.
pub(super) async fn take_over<K>(api: &Api<K>, name: &str, manager: &str) -> Result<(), kube::Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let Some(object) = api.get_metadata_opt(name).await? else {
        return Ok(());
    };
    let entries = object
        .metadata
        .managed_fields
        .as_deref()
        .unwrap_or_default();
    let Some(ours) = handed_over(entries, manager) else {
        return Ok(());
    };
    let operations = json!([
        { "op": "replace", "path": "/metadata/managedFields", "value": ours },
        { "op": "replace", "path": "/metadata/resourceVersion", "value": object.metadata.resource_version },
    ]);
    let patch = serde_json::from_value(operations).map_err(kube::Error::SerdeError)?;
    api.patch_metadata(name, &PatchParams::default(), &Patch::<()>::Json(patch))
        .await?;
    Ok(())
}

/// The entries after the handover; None when there is nothing to hand over.
fn handed_over(entries: &[ManagedFieldsEntry], manager: &str) -> Option<Vec<ManagedFieldsEntry>> {
    let (theirs, mut others): (Vec<_>, Vec<_>) = entries
        .iter()
        .cloned()
        .partition(|entry| is_predecessors(entry) || is_applied_by(entry, manager));
    if !theirs.iter().any(is_predecessors) {
        return None;
    }
    let mut fields = json!({});
    for entry in &theirs {
        if let Some(FieldsV1(more)) = &entry.fields_v1 {
            unite(&mut fields, more);
        }
    }
    // Finalizers are not applied: their controllers add and remove them.
    if let Some(metadata) = fields.get_mut("f:metadata").and_then(Value::as_object_mut) {
        metadata.remove("f:finalizers");
    }
    let newest = theirs.into_iter().next_back()?;
    others.push(ManagedFieldsEntry {
        manager: Some(manager.to_owned()),
        operation: Some(APPLY.to_owned()),
        fields_v1: Some(FieldsV1(fields)),
        ..newest
    });
    Some(others)
}

fn is_predecessors(entry: &ManagedFieldsEntry) -> bool {
    let manager = entry.manager.as_deref().unwrap_or_default();
    entry.operation.as_deref() == Some(UPDATE)
        && of_the_object(entry)
        && PREDECESSORS.contains(&manager)
}

fn is_applied_by(entry: &ManagedFieldsEntry, manager: &str) -> bool {
    entry.operation.as_deref() == Some(APPLY)
        && of_the_object(entry)
        && entry.manager.as_deref() == Some(manager)
}

/// Whether the entry speaks of the object itself, and not of its status.
fn of_the_object(entry: &ManagedFieldsEntry) -> bool {
    entry.subresource.as_deref().unwrap_or_default().is_empty()
}

/// Adds the paths of `more` to `fields`.
fn unite(fields: &mut Value, more: &Value) {
    let (Some(fields), Some(more)) = (fields.as_object_mut(), more.as_object()) else {
        return;
    };
    for (key, below) in more {
        unite(fields.entry(key).or_insert_with(|| json!({})), below);
    }
}

#[cfg(test)]
mod tests {
    use super::handed_over;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
    use serde_json::{Value, json};

    fn entry(manager: &str, operation: &str, subresource: &str, fields: &Value) -> Value {
        json!({
            "manager": manager, "operation": operation, "subresource": subresource,
            "apiVersion": "serving.knative.dev/v1", "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    }

    fn hand_over(entries: &[Value]) -> Option<Value> {
        let entries: Vec<ManagedFieldsEntry> = serde_json::from_value(json!(entries)).unwrap();
        handed_over(&entries, "fermata-service").map(|entries| json!(entries))
    }

    #[test]
    fn fields_of_a_predecessor_become_ours_without_its_finalizers() {
        let of_controller = json!({
            "f:metadata": { "f:finalizers": { ".": {} }, "f:labels": { "f:a": {} } },
            "f:spec": { "f:template": {} },
        });
        let status = entry("controller", "Update", "status", &json!({ "f:status": {} }));
        let user = entry("kubectl", "Update", "", &json!({ "f:metadata": {} }));
        let ours = json!({ "f:metadata": { "f:labels": { "f:b": {} } } });
        let entries = [
            entry("controller", "Update", "", &of_controller),
            status.clone(),
            user.clone(),
            entry("fermata-service", "Apply", "", &ours),
        ];
        let united = json!({
            "f:metadata": { "f:labels": { "f:a": {}, "f:b": {} } },
            "f:spec": { "f:template": {} },
        });
        let wanted = [status, user, entry("fermata-service", "Apply", "", &united)];
        assert_eq!(hand_over(&entries), Some(json!(wanted)));
        assert_eq!(
            hand_over(&wanted),
            None,
            "a second time there is nothing to hand over"
        );
    }
}
