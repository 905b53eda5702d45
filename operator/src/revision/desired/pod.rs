//! The pods of a Revision: what the user asked for, and the sidecar (contract/control-plane 2.4).

use std::collections::BTreeMap;

use crds::config::AffinityType;
use crds::name::serving;
use crds::revision::Revision;
use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, PodSpec, PodTemplateSpec, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::ResourceExt;

use super::{Inputs, metadata, queue_proxy, user_container, volume};

const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// The template of the pods.
pub(super) fn template(inputs: &Inputs<'_>) -> PodTemplateSpec {
    let revision = inputs.revision;
    let metadata = ObjectMeta {
        labels: Some(metadata::labels(revision)),
        annotations: Some(annotations(revision)),
        ..ObjectMeta::default()
    };
    PodTemplateSpec {
        metadata: Some(metadata),
        spec: Some(spec(inputs)),
    }
}

fn annotations(revision: &Revision) -> BTreeMap<String, String> {
    let mut annotations = metadata::annotations(revision);
    if let Some(container) = revision.spec.serving_container() {
        annotations.insert(DEFAULT_CONTAINER.to_owned(), container.name.clone());
    }
    annotations
}

/// Longest time for one request.
pub(super) fn timeout_seconds(inputs: &Inputs<'_>) -> i64 {
    let default = inputs.settings.defaults.revision_timeout_seconds;
    inputs.revision.spec.timeout_seconds.unwrap_or(default)
}

/// The user's pod with our containers and defaults.
///
/// The sidecar comes last, as it does upstream. Kubelet starts the containers of a pod one after
/// the other, about 100 ms each: were the sidecar first, every app would start that much later,
/// and a cold start takes as long as the app takes. A sidecar that starts while the app is still
/// starting costs nothing, and one that starts after a very quick app finds it ready at its first
/// try.
fn spec(inputs: &Inputs<'_>) -> PodSpec {
    let revision = inputs.revision;
    let user = revision.spec.pod.clone();
    let mut containers = user_container::user_containers(inputs);
    containers.push(queue_proxy::queue_proxy(inputs));
    let mut volumes = user.volumes.unwrap_or_default();
    volumes.extend(volume::volumes(inputs));
    let labels = revision.labels();
    let runtime_class = inputs
        .settings
        .deployment
        .runtime_class_for(labels)
        .map(str::to_owned);
    PodSpec {
        containers,
        volumes: (!volumes.is_empty()).then_some(volumes),
        affinity: user.affinity.or_else(|| affinity(inputs)),
        runtime_class_name: user.runtime_class_name.or(runtime_class),
        // Requests in flight end on their own within that time.
        termination_grace_period_seconds: Some(timeout_seconds(inputs)),
        ..user
    }
}

fn affinity(inputs: &Inputs<'_>) -> Option<Affinity> {
    match inputs.settings.deployment.default_affinity_type {
        AffinityType::None => None,
        AffinityType::PreferSpreadRevisionOverNodes => Some(spread(&inputs.revision.name_any())),
    }
}

fn spread(revision: &str) -> Affinity {
    let label = (serving::REVISION.to_owned(), revision.to_owned());
    let selector = LabelSelector {
        match_labels: Some([label].into()),
        ..LabelSelector::default()
    };
    let term = PodAffinityTerm {
        topology_key: HOSTNAME.to_owned(),
        label_selector: Some(selector),
        ..PodAffinityTerm::default()
    };
    let preferred = WeightedPodAffinityTerm {
        weight: 100,
        pod_affinity_term: term,
    };
    let pod_anti_affinity = PodAntiAffinity {
        preferred_during_scheduling_ignored_during_execution: Some(vec![preferred]),
        ..PodAntiAffinity::default()
    };
    Affinity {
        pod_anti_affinity: Some(pod_anti_affinity),
        ..Affinity::default()
    }
}
