//! How a Deployment that exists is brought to a new form (contract/control-plane 2.4).

use std::collections::BTreeMap;

use crds::name::serving;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::{Value, json};

/// The JSON patch that makes `current` what `wanted` says; None when the hash says that it is.
/// It never names replicas (the autoscaler writes them) or the selector (it can't change), keeps
/// the labels and annotations of others (so `kubectl rollout restart` survives), and does nothing
/// to an object that has changed since it was read.
pub(super) fn patch(current: &Deployment, wanted: &Deployment) -> Option<Value> {
    let hash = |deployment: &Deployment| deployment.labels().get(serving::DEPLOYMENT_HASH).cloned();
    if hash(current) == hash(wanted) {
        return None;
    }
    let there = current
        .spec
        .as_ref()
        .and_then(|spec| spec.template.metadata.as_ref());
    let mut spec = wanted.spec.clone()?;
    if let Some(ours) = &mut spec.template.metadata {
        let (labels, annotations) = (ours.labels.take(), ours.annotations.take());
        ours.labels = Some(with_others(
            labels,
            there.and_then(|there| there.labels.as_ref()),
        ));
        ours.annotations = Some(with_others(
            annotations,
            there.and_then(|there| there.annotations.as_ref()),
        ));
    }
    let labels = with_others(wanted.metadata.labels.clone(), Some(current.labels()));
    let annotations = with_others(
        wanted.metadata.annotations.clone(),
        Some(current.annotations()),
    );
    Some(json!([
        { "op": "test", "path": "/metadata/resourceVersion", "value": current.resource_version() },
        { "op": "add", "path": "/metadata/labels", "value": labels },
        { "op": "add", "path": "/metadata/annotations", "value": annotations },
        { "op": "add", "path": "/spec/progressDeadlineSeconds",
          "value": spec.progress_deadline_seconds },
        { "op": "add", "path": "/spec/revisionHistoryLimit", "value": spec.revision_history_limit },
        { "op": "add", "path": "/spec/strategy", "value": spec.strategy },
        { "op": "add", "path": "/spec/template", "value": spec.template },
    ]))
}

type Texts = BTreeMap<String, String>;

/// `ours`, and what is there of others.
fn with_others(ours: Option<Texts>, there: Option<&Texts>) -> Texts {
    let mut all = ours.unwrap_or_default();
    let others = there
        .into_iter()
        .flatten()
        .filter(|(key, _)| is_of_others(key));
    for (key, value) in others {
        all.entry(key.clone()).or_insert_with(|| value.clone());
    }
    all
}

/// Our own keys are all of our domains, but for the label `app`, which we always set.
fn is_of_others(key: &str) -> bool {
    !key.contains("knative.dev/")
}
