//! What the cluster knows of one Revision. Reads stores only.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::autoscaling::PodAutoscaler;
use crds::image::Image;
use crds::name::serving;
use crds::revision::Revision;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::digests::Images;
use super::name;
use crate::child::Child;
use crate::stores::Stores;

/// The children as they are, and the pods where they may tell what is wrong.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Name of the parent.
    pub(super) revision: String,
    /// What is known of the images.
    pub(super) images: Images,
    /// What makes the pods.
    pub(super) deployment: Child<Deployment>,
    /// What scales them.
    pub(super) autoscaler: Child<PodAutoscaler>,
    /// What those who pull images ahead are told, by name.
    pub(super) hints: BTreeMap<String, Child<Image>>,
    /// Pods by name; only those of a Deployment that wants pods and has none that serve.
    pub(super) pods: Vec<Arc<Pod>>,
}

/// Reads the stores, and joins what is known of the images.
pub(super) fn gather(stores: &Stores, revision: &Revision, images: Images) -> Seen {
    let (name, namespace) = (
        revision.name_any(),
        revision.namespace().unwrap_or_default(),
    );
    let uid = revision.metadata.uid.as_deref();
    let deployment = ObjectRef::new(&name::deployment(&name)).within(&namespace);
    let deployment = Child::of(stores.deployments.get(&deployment), uid);
    let autoscaler = ObjectRef::new(&name).within(&namespace);
    let autoscaler = Child::of(stores.pod_autoscalers.get(&autoscaler), uid);
    let pods = match deployment.ours() {
        Some(deployment) if lacks_pods(deployment) => pods(stores, revision),
        Some(_) | None => Vec::new(),
    };
    Seen {
        hints: hints(stores, revision, &name, &namespace),
        revision: name,
        images,
        deployment,
        autoscaler,
        pods,
    }
}

fn hints(
    stores: &Stores,
    revision: &Revision,
    name: &str,
    namespace: &str,
) -> BTreeMap<String, Child<Image>> {
    let pod = &revision.spec.pod;
    let containers = pod
        .containers
        .iter()
        .chain(pod.init_containers.iter().flatten());
    let hints = containers.map(|container| {
        let hint = name::image(name, &container.name);
        let found = stores.images.get(&ObjectRef::new(&hint).within(namespace));
        let child = Child::of(found, revision.metadata.uid.as_deref());
        (hint, child)
    });
    hints.collect()
}

/// Whether pods are wanted and none is available.
pub(super) fn lacks_pods(deployment: &Deployment) -> bool {
    let status = deployment.status.as_ref();
    wanted_replicas(deployment) > 0
        && status
            .and_then(|status| status.available_replicas)
            .unwrap_or(0)
            == 0
}

/// How many pods the autoscaler has ordered.
pub(super) fn wanted_replicas(deployment: &Deployment) -> i32 {
    deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1)
}

/// How many pods serve.
pub(super) fn ready_replicas(deployment: &Deployment) -> i32 {
    deployment
        .status
        .as_ref()
        .and_then(|status| status.ready_replicas)
        .unwrap_or(0)
}

fn pods(stores: &Stores, revision: &Revision) -> Vec<Arc<Pod>> {
    let (namespace, uid) = (&revision.metadata.namespace, &revision.metadata.uid);
    let mut pods = stores.pods.state_filter(|pod| {
        pod.metadata.namespace == *namespace
            && pod.labels().get(serving::REVISION_UID) == uid.as_ref()
            && pod.metadata.deletion_timestamp.is_none()
    });
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    pods
}
