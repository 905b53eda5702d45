//! What Active says of an activation that fails: the cause, until a pod serves.

use crds::condition::Truth;
use crds::revision::RevisionStatus;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::seen;
use super::table::{autoscaler, deployment, exited, judge, unschedulable, waiting};
use crate::revision::activation::{failed_activation, news};
use crate::revision::gather::Seen;

/// A revision that has served before, and what is seen of it now.
fn served_before(replicas: i32, ready: i32, pods: Vec<Value>, told: (&str, &str)) -> Seen {
    let deployment = deployment(replicas, ready, "True");
    seen(deployment, pods, autoscaler(told.0, told.1, true))
}

/// Looks at each in turn; what Active says each time.
fn active(looks: &[Seen]) -> Vec<String> {
    let mut old = Vec::new();
    let texts = looks.iter().map(|seen| {
        let verdict = judge(seen, &old);
        old = verdict.conditions().merge(&old, Timestamp::UNIX_EPOCH);
        verdict.active.to_string()
    });
    texts.collect()
}

const QUEUED: (&str, &str) = ("Unknown", "Queued");
const NO_TRAFFIC: (&str, &str) = ("False", "NoTraffic");
const TIMED_OUT: (&str, &str) = ("False", "TimedOut");
const TRUE: (&str, &str) = ("True", "");

#[test]
fn the_cause_stays_until_a_pod_serves() {
    let crash = || vec![exited("user-container", 3, "boom")];
    let texts = active(&[
        served_before(0, 0, vec![], NO_TRAFFIC),
        served_before(1, 0, vec![], QUEUED),
        served_before(1, 0, crash(), QUEUED),
        served_before(0, 0, vec![], TIMED_OUT),
        served_before(0, 0, vec![], NO_TRAFFIC),
        served_before(1, 0, vec![], QUEUED),
        served_before(1, 1, vec![], TRUE),
        served_before(0, 0, vec![], NO_TRAFFIC),
    ]);
    let cause = "False ExitCode3: Container failed with: boom";
    let wanted = [
        "False NoTraffic: m",
        "Unknown Queued: m",
        cause,
        cause,
        cause,
        cause,
        "True: m",
        "False NoTraffic: m",
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn every_trouble_has_its_words() {
    let mut quota = deployment(1, 0, "True");
    let failure = json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"});
    quota["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .push(failure);
    for (seen, wanted) in [
        (
            served_before(1, 0, vec![waiting("ErrImagePull")], QUEUED),
            "False ErrImagePull: pull",
        ),
        (
            served_before(1, 0, vec![waiting("ContainerCreating")], QUEUED),
            "Unknown Queued: m",
        ),
        (
            served_before(1, 0, vec![unschedulable()], QUEUED),
            "False Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.",
        ),
        (
            seen(quota, vec![], autoscaler("Unknown", "Queued", true)),
            "False FailedCreate: quota",
        ),
        (served_before(0, 0, vec![], TIMED_OUT), "False TimedOut: m"),
        (
            seen(
                deployment(1, 0, "True"),
                vec![waiting("ErrImagePull")],
                autoscaler("Unknown", "Queued", false),
            ),
            "Unknown Queued: m",
        ),
    ] {
        assert_eq!(judge(&seen, &[]).active.to_string(), wanted);
    }
}

#[test]
fn two_words_for_one_trouble_do_not_take_turns() {
    let pull = |reason| served_before(1, 0, vec![waiting(reason)], QUEUED);
    let texts = active(&[
        pull("ErrImagePull"),
        pull("ImagePullBackOff"),
        pull("ErrImagePull"),
    ]);
    assert_eq!(texts, ["False ErrImagePull: pull"; 3]);
}

#[test]
fn people_hear_of_a_cause_that_is_new() {
    let status = |truth: Truth| RevisionStatus {
        conditions: crds::condition::Verdicts::default()
            .with_info("Active", truth)
            .merge(&[], Timestamp::UNIX_EPOCH),
        ..RevisionStatus::default()
    };
    let crash = |message| status(Truth::no("ExitCode1", message));
    let (idle, up) = (status(Truth::no("NoTraffic", "")), status(Truth::True));
    assert_eq!(failed_activation(&idle), None);
    assert_eq!(news(&idle, &up), None);
    assert_eq!(
        news(&idle, &crash("a")).unwrap(),
        "The revision can't start: ExitCode1: a"
    );
    assert_eq!(news(&crash("a"), &crash("b")), None, "the same reason");
    assert!(news(&status(Truth::no("Unschedulable", "")), &crash("a")).is_some());
    assert_eq!(news(&crash("a"), &idle), None);
}
