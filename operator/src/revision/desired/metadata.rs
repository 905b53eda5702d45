//! Labels and annotations that children take from their Revision (contract/control-plane 2.4, 2.6).

use std::collections::BTreeMap;

use crds::name::{autoscaling, serving};
use crds::revision::Revision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use runtime::kube::apply::APPLIED;
use runtime::kube::owner::owner_reference;

/// Label that people select pods by.
const APP: &str = "app";

/// Labels that say how requests are routed just now: a pod does not change with them.
const ROUTING_LABELS: [&str; 2] = [serving::ROUTE, serving::ROUTING_STATE];

/// Annotations that speak of the Revision itself, and the mark of whoever applied it.
const OWN_ANNOTATIONS: [&str; 5] = [
    serving::LAST_PINNED,
    serving::NO_GC,
    serving::ROUTING_STATE_MODIFIED,
    serving::ROUTES,
    APPLIED,
];

/// Labels of every child.
pub(super) fn labels(revision: &Revision) -> BTreeMap<String, String> {
    let name = revision.name_any();
    let mut labels = revision.labels().clone();
    labels.retain(|key, _| !ROUTING_LABELS.contains(&key.as_str()));
    labels.entry(APP.to_owned()).or_insert_with(|| name.clone());
    labels.insert(serving::REVISION.to_owned(), name);
    labels.insert(
        serving::REVISION_UID.to_owned(),
        revision.uid().unwrap_or_default(),
    );
    labels
}

/// Annotations of every child that does not scale.
pub(super) fn annotations(revision: &Revision) -> BTreeMap<String, String> {
    let mut annotations = scaling_annotations(revision);
    annotations.retain(|key, _| !key.starts_with(autoscaling::GROUP));
    annotations
}

/// Annotations of a child that scales: with those of the autoscaler.
pub(super) fn scaling_annotations(revision: &Revision) -> BTreeMap<String, String> {
    let mut annotations = revision.annotations().clone();
    annotations.retain(|key, _| !OWN_ANNOTATIONS.contains(&key.as_str()));
    annotations
}

/// Metadata of a child of that name.
pub(super) fn metadata(
    revision: &Revision,
    name: String,
    annotations: BTreeMap<String, String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: revision.namespace(),
        labels: Some(labels(revision)),
        annotations: Some(annotations),
        owner_references: Some(vec![owner_reference(revision)]),
        ..ObjectMeta::default()
    }
}

/// The value of a label, or nothing as text: a Revision may belong to no Service.
pub(super) fn label<'a>(revision: &'a Revision, key: &str) -> &'a str {
    revision.labels().get(key).map_or("", String::as_str)
}
