//! What the children of a Revision should be: no clock, no client, no failure, and the same answer
//! for the same input (contract/control-plane 2.4 to 2.6).

mod autoscaler;
mod deployment;
mod hash;
mod image;
mod metadata;
mod observability;
mod pod;
mod queue_proxy;
mod readiness;
mod resources;
mod user_container;
mod volume;

use crds::autoscaling::{PodAutoscaler, Reachability};
use crds::config::Settings;
use crds::image::Image;
use crds::revision::Revision;
use k8s_openapi::api::apps::v1::Deployment;

use super::digests::Digests;
use crate::announcement::Herald;

/// All that the children follow from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'a> {
    /// The parent.
    pub(super) revision: &'a Revision,
    /// The config maps.
    pub(super) settings: &'a Settings,
    /// The images to run.
    pub(super) digests: &'a Digests,
    /// Where the system itself runs.
    pub(super) system_namespace: &'a str,
    /// What its pods need to announce themselves.
    pub(super) herald: &'a Herald,
    /// Whether requests come here.
    pub(super) reachability: Reachability,
    /// The PodAutoscaler as it is: some of its annotations are chosen once.
    pub(super) autoscaler: Option<&'a PodAutoscaler>,
}

/// The children as they should be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Children {
    /// Makes the pods. Its replicas are those of a new Deployment only.
    pub(super) deployment: Deployment,
    /// Orders the autoscaler to scale the Deployment.
    pub(super) autoscaler: PodAutoscaler,
    /// Tell whoever pulls images ahead.
    pub(super) images: Vec<Image>,
}

/// The children that follow from `inputs`.
pub(super) fn desired(inputs: &Inputs<'_>) -> Children {
    Children {
        deployment: deployment::deployment(inputs),
        autoscaler: autoscaler::autoscaler(inputs),
        images: image::images(inputs),
    }
}
