//! The table of contract/control-plane 3.3.

use super::{revision, seen};
use crate::child::Child;
use crate::revision::digests::Images;
use crate::revision::gather::Seen;
use crate::revision::reachability::reachability;
use crate::revision::status::status;
use crate::revision::verdict::{Verdict, verdict};
use crds::autoscaling::Reachability;
use crds::condition::{Condition, READY, Truth, find};
use jiff::Timestamp;
use serde_json::{Value, json};

const DEPLOYING: &str = "Unknown Deploying";
const NEVER: &str = "False ProgressDeadlineExceeded: Initial scale was never achieved";
const TOO_LATE: &str = "False ProgressDeadlineExceeded: too late";

pub(super) fn deployment(replicas: i32, ready: i32, progressing: &str) -> Value {
    let reason = if progressing == "False" {
        "ProgressDeadlineExceeded"
    } else {
        "Any"
    };
    let condition = json!({"type": "Progressing", "status": progressing, "reason": reason, "message": "too late"});
    json!({
        "metadata": {},
        "spec": { "replicas": replicas, "selector": {}, "template": {} },
        "status": { "readyReplicas": ready, "availableReplicas": ready, "conditions": [condition] },
    })
}

pub(super) fn autoscaler(ready: &str, reason: &str, initialised: bool) -> Value {
    let initialised = if initialised { "True" } else { "Unknown" };
    json!({
        "metadata": {},
        "spec": { "scaleTargetRef": {}, "protocolType": "http1" },
        "status": {
            "serviceName": "hello-00001",
            "metricsServiceName": "hello-00001-private",
            "actualScale": 1,
            "desiredScale": -1,
            "conditions": [
                {"type": "Ready", "status": ready, "reason": reason, "message": "m"},
                {"type": "ScaleTargetInitialized", "status": initialised},
            ],
        },
    })
}

pub(super) fn pod(status: &Value) -> Value {
    json!({ "metadata": { "name": "p" }, "status": status })
}

pub(super) fn unschedulable() -> Value {
    let message = "0/1 nodes are available: 1 Insufficient cpu.";
    pod(&json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message},
    ]}))
}

pub(super) fn exited(container: &str, code: i32, message: &str) -> Value {
    pod(&json!({"containerStatuses": [{
        "name": container, "image": "", "imageID": "", "ready": false, "restartCount": 1,
        "lastState": { "terminated": { "exitCode": code, "message": message } },
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } },
    }]}))
}

pub(super) fn waiting(reason: &str) -> Value {
    pod(&json!({"containerStatuses": [{
        "name": "user-container", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": reason, "message": "pull" } },
    }]}))
}

pub(super) fn judge(seen: &Seen, old: &[Condition]) -> Verdict {
    verdict(seen, old, false)
}

/// What is seen comes to ResourcesAvailable, ContainerHealthy and Ready.
fn check(case: &str, seen: &Seen, wanted: [&str; 3]) {
    let verdict = judge(seen, &[]);
    let ready = verdict.conditions().ready();
    let came = [verdict.resources, verdict.container, ready].map(|truth| truth.to_string());
    assert_eq!(came, wanted, "{case}");
}

#[test]
fn a_new_revision_is_deploying() {
    let queued = || autoscaler("Unknown", "Queued", false);
    for (case, deployment, autoscaler) in [
        ("nothing there", Value::Null, Value::Null),
        (
            "no conditions yet",
            json!({"metadata": {}, "spec": {"selector": {}, "template": {}}}),
            queued(),
        ),
        ("pods start", deployment(1, 0, "True"), queued()),
        (
            "the autoscaler has not looked",
            deployment(1, 0, "True"),
            Value::Null,
        ),
    ] {
        check(case, &seen(deployment, vec![], autoscaler), [DEPLOYING; 3]);
    }
}

#[test]
fn nothing_is_said_of_the_children_before_the_images_are_known() {
    let resolving = "Unknown ResolvingDigests";
    let mut seen = seen(Value::Null, vec![], Value::Null);
    seen.images = Images::Resolving;
    check("asked", &seen, [resolving, "Unknown", resolving]);
    seen.images = Images::Missing {
        image: "r.io/nope".to_owned(),
        cause: "not found".to_owned(),
        again: None,
    };
    let text = "False ContainerMissing: Unable to fetch image \"r.io/nope\": \
        failed to resolve image to digest: not found";
    check("answered", &seen, [resolving, text, text]);
    let status = status(
        &revision(),
        &judge(&seen, &[]),
        &seen,
        "",
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(status.container_statuses, []);
}

#[test]
fn pods_that_serve_make_a_container_healthy_and_the_autoscaler_makes_it_ready() {
    let ready = deployment(1, 1, "True");
    let queued = seen(
        ready.clone(),
        vec![],
        autoscaler("Unknown", "Queued", false),
    );
    check("fewer than wanted", &queued, [DEPLOYING, "True", DEPLOYING]);
    let scaled = seen(ready, vec![], autoscaler("True", "", true));
    check("all there", &scaled, ["True"; 3]);
    let mut no_service = autoscaler("True", "", true);
    no_service["status"]["serviceName"] = "".into();
    let unreachable = seen(deployment(1, 1, "True"), vec![], no_service);
    check(
        "nothing leads there",
        &unreachable,
        [DEPLOYING, "True", DEPLOYING],
    );
}

#[test]
fn an_idle_revision_stays_ready() {
    let idle = seen(
        deployment(0, 0, "True"),
        vec![],
        autoscaler("False", "NoTraffic", true),
    );
    check("at zero", &idle, ["True"; 3]);
    assert_eq!(judge(&idle, &[]).active.to_string(), "False NoTraffic: m");
}

#[test]
fn what_the_deployment_lacks_is_told() {
    let queued = || autoscaler("Unknown", "Queued", false);
    let late = seen(deployment(1, 0, "False"), vec![], queued());
    check("too late", &late, [TOO_LATE, DEPLOYING, TOO_LATE]);
    let mut quota = deployment(1, 0, "True");
    let message = "pods \"p\" is forbidden: exceeded quota: q";
    quota["status"]["conditions"].as_array_mut().unwrap().push(json!(
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    ));
    let text = format!("False FailedCreate: {message}");
    check(
        "quota",
        &seen(quota, vec![], queued()),
        [&text, DEPLOYING, &text],
    );
}

#[test]
fn a_pod_that_no_node_takes_is_told_at_once() {
    let seen = seen(
        deployment(1, 0, "True"),
        vec![unschedulable()],
        autoscaler("Unknown", "Queued", false),
    );
    let text = "False Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.";
    check("unschedulable", &seen, [text, DEPLOYING, text]);
    assert_eq!(verdict(&seen, &[], true).resources.to_string(), DEPLOYING);
}

#[test]
fn a_container_that_ends_is_told_at_once_and_outweighs_the_deadline() {
    let autoscaler = || autoscaler("Unknown", "Queued", false);
    for (code, message, text) in [
        (5, "boom", "False ExitCode5: Container failed with: boom"),
        (
            0,
            "",
            "False ExitCode0: Container failed with: container exited with no error",
        ),
        (1, "", "False ExitCode1: Container failed with: "),
    ] {
        let pods = vec![exited("user-container", code, message)];
        let starting = seen(deployment(1, 0, "True"), pods.clone(), autoscaler());
        check("within the deadline", &starting, [DEPLOYING, text, text]);
        let late = seen(deployment(1, 0, "False"), pods, autoscaler());
        check("after it", &late, [TOO_LATE, text, text]);
    }
}

#[test]
fn a_sidecar_that_ends_is_not_the_users_fault() {
    let pods = vec![exited("queue-proxy", 1, "boom")];
    let seen = seen(
        deployment(1, 0, "True"),
        pods,
        autoscaler("Unknown", "Queued", false),
    );
    check("queue-proxy", &seen, [DEPLOYING; 3]);
}

#[test]
fn a_container_that_prepares_a_pod_counts_until_it_has_done_its_work() {
    let trying = json!({"initContainerStatuses": [{
        "name": "init", "image": "", "imageID": "", "ready": false, "restartCount": 1,
        "lastState": { "terminated": { "exitCode": 4, "message": "no" } },
        "state": { "waiting": { "reason": "CrashLoopBackOff" } },
    }]});
    let mut done = trying.clone();
    done["initContainerStatuses"][0]["state"] = json!({ "terminated": { "exitCode": 0 } });
    let queued = || autoscaler("Unknown", "Queued", false);
    let text = "False ExitCode4: Container failed with: no";
    let trying = seen(deployment(1, 0, "True"), vec![pod(&trying)], queued());
    check("still trying", &trying, [DEPLOYING, text, text]);
    let done = seen(deployment(1, 0, "True"), vec![pod(&done)], queued());
    check("done", &done, [DEPLOYING; 3]);
}

#[test]
fn a_container_that_waits_is_told_when_the_time_is_over() {
    let pods = vec![waiting("ImagePullBackOff")];
    let queued = || autoscaler("Unknown", "Queued", false);
    let in_time = seen(deployment(1, 0, "True"), pods.clone(), queued());
    check("in time", &in_time, [DEPLOYING; 3]);
    let text = "False ImagePullBackOff: pull";
    let late = seen(deployment(1, 0, "False"), pods, queued());
    check("too late", &late, [text, DEPLOYING, text]);
}

#[test]
fn an_autoscaler_that_gave_up_is_told() {
    let given_up = autoscaler("False", "TimedOut", false);
    let seen_ = seen(deployment(0, 0, "True"), vec![], given_up.clone());
    check("never scaled", &seen_, [NEVER, DEPLOYING, NEVER]);
    let pods = vec![exited("user-container", 7, "x")];
    let seen_ = seen(deployment(1, 0, "True"), pods, given_up);
    let text = "False ExitCode7: Container failed with: x";
    check("the exit code says more", &seen_, [DEPLOYING, text, text]);
}

#[test]
fn the_reason_outlives_the_pods_and_ends_with_one_that_serves() {
    let queued = || autoscaler("Unknown", "Queued", false);
    let given_up = || autoscaler("False", "TimedOut", false);
    for pod in [
        exited("user-container", 7, "x"),
        waiting("ErrImagePull"),
        unschedulable(),
    ] {
        let failing = judge(&seen(deployment(1, 0, "False"), vec![pod], queued()), &[]);
        let old = failing.conditions().merge(&[], Timestamp::UNIX_EPOCH);
        let after = judge(&seen(deployment(0, 0, "True"), vec![], given_up()), &old);
        assert_eq!(after.conditions().ready(), failing.conditions().ready());
        let served = judge(
            &seen(
                deployment(1, 1, "True"),
                vec![],
                autoscaler("True", "", true),
            ),
            &old,
        );
        assert_eq!(served.conditions().ready(), Truth::True);
    }
}

#[test]
fn a_child_of_someone_else_is_not_touched_and_told() {
    let mut seen = seen(
        deployment(1, 1, "True"),
        vec![],
        autoscaler("True", "", true),
    );
    seen.autoscaler = Child::Foreign;
    let message = "There is an existing PodAutoscaler \"hello-00001\" that we do not own.";
    assert_eq!(judge(&seen, &[]).resources, Truth::no("NotOwned", message));
    seen.deployment = Child::Foreign;
    let message = "There is an existing Deployment \"hello-00001-deployment\" that we do not own.";
    assert_eq!(judge(&seen, &[]).resources, Truth::no("NotOwned", message));
}

#[test]
fn a_revision_whose_pods_fail_is_out_of_reach() {
    let mut revision = revision();
    let queued = autoscaler("Unknown", "Queued", false);
    let failing = seen(deployment(1, 0, "False"), vec![], queued.clone());
    let starting = seen(deployment(1, 0, "True"), vec![], queued);
    for (state, seen, wanted) in [
        (Some("active"), &starting, Reachability::Reachable),
        (Some("reserve"), &starting, Reachability::Unreachable),
        (Some("pending"), &starting, Reachability::Unknown),
        (None, &starting, Reachability::Unknown),
        (Some("active"), &failing, Reachability::Unreachable),
    ] {
        let labels = revision.metadata.labels.get_or_insert_default();
        labels.remove("serving.knative.dev/routingState");
        if let Some(state) = state {
            labels.insert(
                "serving.knative.dev/routingState".to_owned(),
                state.to_owned(),
            );
        }
        let came = reachability(&revision, seen.deployment.ours(), &judge(seen, &[]));
        assert_eq!(came, wanted, "{state:?}");
    }
}

#[test]
fn the_status_carries_generation_scale_images_and_logs() {
    let revision = revision();
    let seen = seen(
        deployment(1, 1, "True"),
        vec![],
        autoscaler("True", "", true),
    );
    let verdict = judge(&seen, &[]);
    let template = "http://logs/${REVISION_UID}";
    let status = status(&revision, &verdict, &seen, template, Timestamp::UNIX_EPOCH);
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(
        (status.actual_replicas, status.desired_replicas),
        (Some(1), None)
    );
    assert_eq!(status.container_statuses[0].name, "user-container");
    assert_eq!(status.log_url, Some(format!("http://logs/{}", super::UID)));
    assert!(Truth::of(find(&status.conditions, READY)).is_true());
    let types: Vec<_> = status
        .conditions
        .iter()
        .map(|c| (c.type_.as_str(), c.severity.as_str()))
        .collect();
    assert_eq!(
        types,
        [
            ("Active", "Info"),
            ("ContainerHealthy", ""),
            ("Ready", ""),
            ("ResourcesAvailable", "")
        ]
    );
}

#[test]
fn a_second_look_at_the_same_world_writes_nothing() {
    let mut revision = revision();
    let seen = seen(
        deployment(1, 0, "False"),
        vec![waiting("ErrImagePull")],
        Value::Null,
    );
    let at = |second| Timestamp::from_second(second).unwrap();
    let look = |revision: &crds::revision::Revision, now| {
        let old = revision.status.clone().unwrap_or_default();
        status(revision, &judge(&seen, &old.conditions), &seen, "", now)
    };
    let first = look(&revision, at(1));
    revision.status = Some(first.clone());
    assert_eq!(look(&revision, at(100)), first);
}
