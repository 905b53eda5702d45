//! The Images of a Revision: hints to whoever pulls images ahead (contract/control-plane 2.5).

use crds::image::{Image, ImageSpec};
use crds::revision::ContainerStatus;
use k8s_openapi::api::core::v1::Container;
use kube::ResourceExt;

use super::{Inputs, metadata};
use crate::revision::name;

/// One Image for each container, init containers included.
pub(super) fn images(inputs: &Inputs<'_>) -> Vec<Image> {
    let pod = &inputs.revision.spec.pod;
    let init_containers = pod.init_containers.as_deref().unwrap_or_default();
    let digests = inputs.digests;
    let containers = pod.containers.iter().zip(&digests.containers);
    let all = containers.chain(init_containers.iter().zip(&digests.init_containers));
    all.map(|(container, digest)| image(inputs, container, digest))
        .collect()
}

fn image(inputs: &Inputs<'_>, container: &Container, resolved: &ContainerStatus) -> Image {
    let revision = inputs.revision;
    let name = name::image(&revision.name_any(), &container.name);
    let digest = Some(resolved.image_digest.clone()).filter(|digest| !digest.is_empty());
    let pod = &revision.spec.pod;
    Image {
        metadata: metadata::metadata(revision, name, metadata::annotations(revision)),
        spec: ImageSpec {
            image: digest
                .or_else(|| container.image.clone())
                .unwrap_or_default(),
            service_account_name: pod.service_account_name.clone(),
            image_pull_secrets: pod.image_pull_secrets.clone().unwrap_or_default(),
        },
        status: None,
    }
}
