//! The PodAutoscaler of a Revision (contract/control-plane 2.6).

use std::collections::BTreeMap;

use crds::autoscaling::{PodAutoscaler, PodAutoscalerSpec, ScaleTarget};
use crds::defaulting::{DefaultingContext, default_pod_autoscaler};
use crds::name::autoscaling;
use crds::revision::AppProtocol;
use kube::ResourceExt;

use super::{Inputs, metadata};
use crate::revision::name;

/// The order to scale the Deployment.
pub(super) fn autoscaler(inputs: &Inputs<'_>) -> PodAutoscaler {
    let revision = inputs.revision;
    let scale_target_ref = ScaleTarget {
        api_version: Some("apps/v1".to_owned()),
        kind: Some("Deployment".to_owned()),
        name: Some(name::deployment(&revision.name_any())),
    };
    let protocol = match revision.spec.protocol() {
        AppProtocol::Http1 => "http1",
        AppProtocol::H2c => "h2c",
    };
    let mut autoscaler = PodAutoscaler {
        metadata: metadata::metadata(revision, revision.name_any(), annotations(inputs)),
        spec: PodAutoscalerSpec {
            container_concurrency: revision.spec.container_concurrency,
            scale_target_ref,
            reachability: inputs.reachability,
            protocol_type: protocol.to_owned(),
        },
        status: None,
    };
    // As the webhook will: what is applied next is then the same, and is not written again.
    let context = DefaultingContext {
        settings: inputs.settings,
        user: None,
    };
    default_pod_autoscaler(&mut autoscaler, &context);
    autoscaler
}

/// The Revision's annotations. Which autoscaler cares and what it measures is chosen once, when
/// the Revision leaves it open: a new default must not hand pods from one autoscaler to another.
fn annotations(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    let mut annotations = metadata::scaling_annotations(inputs.revision);
    let current = inputs.autoscaler.map(PodAutoscaler::annotations);
    for key in [autoscaling::CLASS, autoscaling::METRIC] {
        if let Some(chosen) = current.and_then(|current| current.get(key)) {
            annotations
                .entry(key.to_owned())
                .or_insert_with(|| chosen.clone());
        }
    }
    annotations
}
