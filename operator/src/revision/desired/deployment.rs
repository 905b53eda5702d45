//! The Deployment of a Revision (contract/control-plane 2.4).

use std::time::Duration;

use crds::annotation::Autoscaling;
use crds::duration::Nanos;
use crds::name::serving;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::{Inputs, hash, metadata, pod};
use crate::revision::name;

/// Older spelling of [`serving::PROGRESS_DEADLINE`].
const PROGRESS_DEADLINE_CAMEL: &str = "serving.knative.dev/progressDeadline";

/// The Deployment, with the hash of all that an update would write.
pub(super) fn deployment(inputs: &Inputs<'_>) -> Deployment {
    let revision = inputs.revision;
    let name = name::deployment(&revision.name_any());
    let metadata = metadata::metadata(revision, name, metadata::annotations(revision));
    let mut deployment = Deployment {
        metadata,
        spec: Some(spec(inputs)),
        ..Deployment::default()
    };
    let hash = hash::hash(&deployment);
    deployment
        .labels_mut()
        .insert(serving::DEPLOYMENT_HASH.to_owned(), hash);
    deployment
}

fn spec(inputs: &Inputs<'_>) -> DeploymentSpec {
    let revision = inputs.revision;
    let uid = (
        serving::REVISION_UID.to_owned(),
        revision.uid().unwrap_or_default(),
    );
    let selector = LabelSelector {
        match_labels: Some([uid].into()),
        ..LabelSelector::default()
    };
    DeploymentSpec {
        replicas: Some(initial_scale(inputs)),
        selector,
        // A revision never goes back to an earlier form of itself.
        revision_history_limit: Some(0),
        progress_deadline_seconds: Some(progress_deadline_seconds(inputs)),
        strategy: Some(never_fewer()),
        template: pod::template(inputs),
        ..DeploymentSpec::default()
    }
}

/// A new form of the pods replaces the old one only as far as it is ready.
fn never_fewer() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_unavailable: Some(IntOrString::Int(0)),
            max_surge: None,
        }),
    }
}

fn initial_scale(inputs: &Inputs<'_>) -> i32 {
    let asked = Autoscaling::read(inputs.revision.annotations()).initial_scale;
    asked.unwrap_or(inputs.settings.autoscaler.initial_scale)
}

fn progress_deadline_seconds(inputs: &Inputs<'_>) -> i32 {
    let annotations = inputs.revision.annotations();
    let asked = [serving::PROGRESS_DEADLINE, PROGRESS_DEADLINE_CAMEL]
        .iter()
        .find_map(|key| annotations.get(*key)?.parse::<Nanos>().ok()?.to_std());
    let deadline: Duration = asked.unwrap_or(inputs.settings.deployment.progress_deadline);
    i32::try_from(deadline.as_secs()).unwrap_or(i32::MAX)
}
