//! Whether a Revision can serve: the table of contract/control-plane 3.3 as a pure function.

use crds::autoscaling::{PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{Condition, READY, Truth, Verdicts, find};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};

use super::digests::Images;
use super::fault::{Fault, fault};
use super::gather::{Seen, ready_replicas, wanted_replicas};
use super::name;

/// Condition: the Deployment has what it needs.
pub(super) const RESOURCES_AVAILABLE: &str = "ResourcesAvailable";
/// Condition: the user's containers run.
pub(super) const CONTAINER_HEALTHY: &str = "ContainerHealthy";
/// Condition, for information: requests come here and are served by pods.
pub(super) const ACTIVE: &str = "Active";

const DEPLOYING: &str = "Deploying";
const RESOLVING: &str = "ResolvingDigests";
const CONTAINER_MISSING: &str = "ContainerMissing";
const NOT_OWNED: &str = "NotOwned";
const FAILED_CREATE: &str = "FailedCreate";
const DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";
const EXIT_CODE: &str = "ExitCode";
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

/// How far the autoscaler is.
struct Scaling {
    /// Its Ready, once it has one.
    ready: Option<Truth>,
    /// Whether the revision had all its first pods once.
    initialised: bool,
    /// Whether requests can reach the pods.
    has_service: bool,
}

impl Scaling {
    fn of(autoscaler: Option<&PodAutoscaler>) -> Self {
        let status = autoscaler.and_then(|autoscaler| autoscaler.status.as_ref());
        let nothing = PodAutoscalerStatus::default();
        let status = status.unwrap_or(&nothing);
        let truth = |name| Truth::of(find(&status.conditions, name));
        Self {
            ready: find(&status.conditions, READY).map(|ready| Truth::of(Some(ready))),
            initialised: truth("ScaleTargetInitialized").is_true(),
            has_service: !status.service_name.is_empty(),
        }
    }

    /// Whether requests come here and are served.
    fn active(&self) -> Truth {
        let ready = self.ready.clone();
        ready.unwrap_or_else(|| Truth::unknown(DEPLOYING, ""))
    }

    /// Whether it gave up before the revision had all its first pods.
    fn gave_up(&self) -> bool {
        let failed = self.ready.as_ref().is_some_and(Truth::is_false);
        failed && !self.initialised && self.has_service
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
    let resources = taken(seen).unwrap_or_else(|| {
        let deployed = deployed(deployment, fault.as_ref(), always_schedulable);
        let deployed = remembered(deployed, deployment, &scaling, old);
        scaled(deployed, &scaling, &container)
    });
    Verdict {
        resources,
        container,
        active: scaling.active(),
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
    let failure = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure");
    if let Some(failure) = failure.filter(|failure| failure.status == "True") {
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
    if let Some(Fault::Exited { code, message }) = fault {
        return exited(*code, message);
    }
    if deployment.is_some_and(|deployment| ready_replicas(deployment) > 0) {
        return Truth::True;
    }
    match Truth::of(find(old, CONTAINER_HEALTHY)) {
        Truth::False(reason, message) if reason.starts_with(EXIT_CODE) => {
            Truth::False(reason, message)
        }
        _ if scaling.initialised => Truth::True,
        _ => Truth::unknown(DEPLOYING, ""),
    }
}

fn exited(code: i32, message: &str) -> Truth {
    let message = match (code, message) {
        (0, "") => "container exited with no error",
        (_, message) => message,
    };
    Truth::no(
        format!("{EXIT_CODE}{code}"),
        format!("Container failed with: {message}"),
    )
}
