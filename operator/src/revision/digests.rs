//! The images of a Revision, by digest (contract/control-plane 7).

use std::collections::BTreeMap;

use crds::revision::{ContainerStatus, Revision};
use k8s_openapi::api::core::v1::Container;

/// The image of each container: with its digest, or empty where only the tag is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Digests {
    /// One entry for each container, in the order of the spec.
    pub(crate) containers: Vec<ContainerStatus>,
    /// One entry for each init container, in the order of the spec.
    pub(crate) init_containers: Vec<ContainerStatus>,
}

impl Digests {
    /// The images that pods of this revision run, by name of the container: digests where they
    /// are known.
    pub(crate) fn of_containers(&self) -> BTreeMap<&str, &str> {
        let known = self
            .containers
            .iter()
            .filter(|status| !status.image_digest.is_empty());
        known
            .map(|status| (status.name.as_str(), status.image_digest.as_str()))
            .collect()
    }
}

/// What is known of the images of `revision`. A Revision is resolved once: what its status says
/// for every container stays. An image that is named by digest is its own answer; for others the
/// registry is not asked, so that the pod runs the tag.
pub(crate) fn resolve(revision: &Revision) -> Digests {
    let pod = &revision.spec.pod;
    let init_containers = pod.init_containers.as_deref().unwrap_or_default();
    if let Some(status) = &revision.status
        && status.container_statuses.len() == pod.containers.len()
        && status.init_container_statuses.len() == init_containers.len()
    {
        return Digests {
            containers: status.container_statuses.clone(),
            init_containers: status.init_container_statuses.clone(),
        };
    }
    Digests {
        containers: pod.containers.iter().map(by_name).collect(),
        init_containers: init_containers.iter().map(by_name).collect(),
    }
}

fn by_name(container: &Container) -> ContainerStatus {
    let image = container.image.as_deref().unwrap_or_default();
    let digest = if image.contains("@sha256:") {
        image
    } else {
        ""
    };
    ContainerStatus {
        name: container.name.clone(),
        image_digest: digest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crds::revision::{Revision, RevisionStatus};
    use serde_json::json;

    fn revision(images: &[&str]) -> Revision {
        let containers: Vec<_> = images
            .iter()
            .enumerate()
            .map(|(i, image)| json!({"name": i.to_string(), "image": image}))
            .collect();
        let spec = serde_json::from_value(json!({ "containers": containers })).unwrap();
        Revision::new("r", spec)
    }

    #[test]
    fn an_image_named_by_digest_is_its_own_answer() {
        let digests = resolve(&revision(&["a/b:latest", "a/c@sha256:12"]));
        let texts: Vec<_> = digests
            .containers
            .iter()
            .map(|c| c.image_digest.as_str())
            .collect();
        assert_eq!(texts, ["", "a/c@sha256:12"]);
        assert_eq!(digests.of_containers().get("1"), Some(&"a/c@sha256:12"));
        assert_eq!(digests.of_containers().get("0"), None);
    }

    #[test]
    fn what_was_resolved_once_stays() {
        let mut revision = revision(&["a/b:latest"]);
        let mut known = resolve(&revision);
        known.containers[0].image_digest = "a/b@sha256:34".to_owned();
        revision.status = Some(RevisionStatus {
            container_statuses: known.containers.clone(),
            ..RevisionStatus::default()
        });
        assert_eq!(resolve(&revision), known);
    }
}
