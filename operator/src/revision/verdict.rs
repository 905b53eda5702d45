//! Whether a Revision can serve: the table of contract/control-plane 3.3 as a pure function.

use crds::condition::{Condition, Truth, Verdicts, find};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};

use super::activation::{self, Scaling};
use super::digests::Images;
use super::fault::{Fault, fault};
use super::gather::{Seen, lacks_pods, ready_replicas, wanted_replicas};
use super::name;

/// Condition: the Deployment has what it needs.
pub(super) const RESOURCES_AVAILABLE: &str = "ResourcesAvailable";
/// Condition: the user's containers run.
pub(super) const CONTAINER_HEALTHY: &str = "ContainerHealthy";
/// Condition, for information: requests come here and are served by pods.
pub(super) const ACTIVE: &str = "Active";

pub(super) const DEPLOYING: &str = "Deploying";
const RESOLVING: &str = "ResolvingDigests";
const CONTAINER_MISSING: &str = "ContainerMissing";
const NOT_OWNED: &str = "NotOwned";
const FAILED_CREATE: &str = "FailedCreate";
const DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";
const NEVER_SCALED: &str = "Initial scale was never achieved";

/// What one look at the children told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// [`RESOURCES_AVAILABLE`].
    pub(super) resources: Truth,
    /// [`CONTAINER_HEALTHY`].
    pub(super) container: Truth,
    /// [`ACTIVE`].
    pub(super) active: Truth,
}

impl Verdict {
    /// The same after the API server refused a child.
    pub(super) fn refused(self, message: String) -> Self {
        Self {
            resources: Truth::no(FAILED_CREATE, message),
            ..self
        }
    }

    /// Whether the pods can't run as they are.
    pub(super) fn is_failed(&self) -> bool {
        self.resources.is_false() || self.container.is_false()
    }

    /// The conditions, the one that explains most first: what a container said before it ended
    /// says more than the deadline that was missed because of it.
    pub(super) fn conditions(&self) -> Verdicts {
        let resources = (RESOURCES_AVAILABLE, self.resources.clone());
        let container = (CONTAINER_HEALTHY, self.container.clone());
        let dependents = match self.container {
            Truth::False(..) => vec![container, resources],
            Truth::True | Truth::TrueBecause(..) | Truth::Unknown(..) => vec![resources, container],
        };
        Verdicts::of(dependents).with_info(ACTIVE, self.active.clone())
    }
}

/// Judges what was seen.
///
/// `old`, the conditions of the pass before, is asked for one thing only: why the pods failed when
/// no pod is left to tell. Nothing else in the cluster remembers it.
pub(super) fn verdict(seen: &Seen, old: &[Condition], always_schedulable: bool) -> Verdict {
    let scaling = Scaling::of(seen.autoscaler.ours());
    let deployment = seen.deployment.ours();
    if let Some(container) = without_images(&seen.images) {
        return Verdict {
            resources: Truth::unknown(RESOLVING, ""),
            container,
            active: scaling.active(),
        };
    }
    let fault = fault(&seen.pods);
    let container = container(deployment, fault.as_ref(), &scaling, old);
    let trouble = trouble(deployment, fault.as_ref(), always_schedulable);
    let resources = taken(seen).unwrap_or_else(|| {
        let deployed = deployed(deployment, fault.as_ref(), always_schedulable);
        let deployed = remembered(deployed, deployment, &scaling, old);
        scaled(deployed, &scaling, &container)
    });
    Verdict {
        resources,
        container,
        active: activation::active(&scaling, trouble, Truth::of(find(old, ACTIVE))),
    }
}

/// What keeps a revision that wants pods from having one that serves.
fn trouble(
    deployment: Option<&Deployment>,
    fault: Option<&Fault>,
    always_schedulable: bool,
) -> Option<(String, String)> {
    let deployment = deployment.filter(|deployment| lacks_pods(deployment))?;
    let refused = failure(conditions(Some(deployment)));
    let refused = refused.map(|it| (text(&it.reason).to_owned(), text(&it.message).to_owned()));
    match fault {
        Some(Fault::Unschedulable { .. }) if always_schedulable => refused,
        Some(fault) => fault.told().or(refused),
        None => refused,
    }
}

/// What is to be said of the containers as long as their images are not known.
fn without_images(images: &Images) -> Option<Truth> {
    match images {
        Images::Known(_) => None,
        Images::Resolving => Some(Truth::unknown("", "")),
        Images::Missing { image, cause, .. } => {
            let what = "failed to resolve image to digest";
            let message = format!("Unable to fetch image {image:?}: {what}: {cause}");
            Some(Truth::no(CONTAINER_MISSING, message))
        }
    }
}

/// A child's name that someone else has.
fn taken(seen: &Seen) -> Option<Truth> {
    let (kind, name) = if seen.deployment.is_foreign() {
        ("Deployment", name::deployment(&seen.revision))
    } else if seen.autoscaler.is_foreign() {
        ("PodAutoscaler", seen.revision.clone())
    } else {
        return None;
    };
    let message = format!("There is an existing {kind} {name:?} that we do not own.");
    Some(Truth::no(NOT_OWNED, message))
}

/// What Deployment and pods say of the resources.
fn deployed(
    deployment: Option<&Deployment>,
    fault: Option<&Fault>,
    always_schedulable: bool,
) -> Truth {
    let conditions = conditions(deployment);
    let progressing = conditions
        .iter()
        .find(|condition| condition.type_ == "Progressing");
    match fault {
        Some(Fault::Unschedulable { reason, message }) if !always_schedulable => {
            return Truth::no(reason, message);
        }
        // Kubelet goes on trying, so this counts only when the time is over.
        Some(Fault::Waiting { reason, message }) if progressing.is_some_and(is_too_late) => {
            return Truth::no(reason, message);
        }
        Some(Fault::Unschedulable { .. } | Fault::Waiting { .. } | Fault::Exited { .. }) | None => {
        }
    }
    if let Some(failure) = failure(conditions) {
        return Truth::no(text(&failure.reason), text(&failure.message));
    }
    let Some(progressing) = progressing else {
        return Truth::unknown(DEPLOYING, "");
    };
    let (reason, message) = (text(&progressing.reason), text(&progressing.message));
    match progressing.status.as_str() {
        "True" => Truth::True,
        "False" => Truth::no(reason, message),
        _ => Truth::unknown(reason, message),
    }
}

fn conditions(deployment: Option<&Deployment>) -> &[DeploymentCondition] {
    let status = deployment.and_then(|deployment| deployment.status.as_ref());
    status
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default()
}

/// Why pods can't be made: a quota, for example.
fn failure(conditions: &[DeploymentCondition]) -> Option<&DeploymentCondition> {
    let mut conditions = conditions.iter();
    conditions.find(|it| it.type_ == "ReplicaFailure" && it.status == "True")
}

fn is_too_late(progressing: &DeploymentCondition) -> bool {
    progressing.status == "False" && progressing.reason.as_deref() == Some(DEADLINE_EXCEEDED)
}

fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

/// Why a revision that was given up failed, although the Deployment without pods is content.
fn remembered(
    deployed: Truth,
    deployment: Option<&Deployment>,
    scaling: &Scaling,
    old: &[Condition],
) -> Truth {
    let given_up = deployment.is_some_and(|deployment| wanted_replicas(deployment) == 0);
    match Truth::of(find(old, RESOURCES_AVAILABLE)) {
        Truth::False(reason, message)
            if given_up && !scaling.initialised && !deployed.is_false() && reason != NOT_OWNED =>
        {
            Truth::False(reason, message)
        }
        _ => deployed,
    }
}

/// What the autoscaler adds to what the Deployment says.
fn scaled(deployed: Truth, scaling: &Scaling, container: &Truth) -> Truth {
    if deployed.is_false() {
        return deployed;
    }
    if scaling.ready.is_none() {
        return Truth::unknown(DEPLOYING, "");
    }
    if scaling.initialised && scaling.has_service && !container.is_false() {
        return Truth::True;
    }
    if scaling.gave_up() && !container.is_false() {
        return Truth::no(DEADLINE_EXCEEDED, NEVER_SCALED);
    }
    if deployed.is_true() && !(scaling.initialised && scaling.has_service) {
        return Truth::unknown(DEPLOYING, "");
    }
    deployed
}

/// Whether the user's containers run. A container that ended stays unhealthy until a pod serves.
fn container(
    deployment: Option<&Deployment>,
    fault: Option<&Fault>,
    scaling: &Scaling,
    old: &[Condition],
) -> Truth {
    let exit = fault.filter(|fault| matches!(fault, Fault::Exited { .. }));
    if let Some((reason, message)) = exit.and_then(Fault::told) {
        return Truth::no(reason, message);
    }
    if deployment.is_some_and(|deployment| ready_replicas(deployment) > 0) {
        return Truth::True;
    }
    match Truth::of(find(old, CONTAINER_HEALTHY)) {
        Truth::False(reason, message) if Fault::is_exit(&reason) => Truth::False(reason, message),
        _ if scaling.initialised => Truth::True,
        _ => Truth::unknown(DEPLOYING, ""),
    }
}
