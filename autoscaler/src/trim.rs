//! Metadata of objects that we have many of, and of which we need little.

use crds::name::serving;
use kube::api::ObjectMeta;
use serde::{Deserialize, Deserializer};

/// Reads metadata and keeps what says which object it is, of which revision, and whether it goes.
pub(crate) fn trimmed<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    let whole = ObjectMeta::deserialize(from)?;
    let mut labels = whole.labels.unwrap_or_default();
    let revision = labels.remove_entry(serving::REVISION);
    Ok(ObjectMeta {
        name: whole.name,
        namespace: whole.namespace,
        uid: whole.uid,
        resource_version: whole.resource_version,
        deletion_timestamp: whole.deletion_timestamp,
        labels: revision.map(|revision| [revision].into()),
        ..ObjectMeta::default()
    })
}

#[cfg(test)]
mod tests {
    use super::trimmed;
    use serde_json::json;

    #[test]
    fn only_what_is_needed_is_kept() {
        let whole = json!({
            "name": "hello-a", "namespace": "ns", "uid": "1", "resourceVersion": "7",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "labels": { "app": "hello", "serving.knative.dev/revision": "hello" },
            "annotations": { "a": "b" },
            "ownerReferences": [{ "apiVersion": "v1", "kind": "X", "name": "x", "uid": "2" }],
        });
        let kept = serde_json::to_value(trimmed(whole).unwrap()).unwrap();
        assert_eq!(
            kept,
            json!({
                "name": "hello-a", "namespace": "ns", "uid": "1", "resourceVersion": "7",
                "deletionTimestamp": "2026-01-01T00:00:00Z",
                "labels": { "serving.knative.dev/revision": "hello" },
            })
        );
    }
}
