use crds::autoscaling::{PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{Condition, Truth, find};
use jiff::Timestamp;

use super::{
    ACTIVE, Findings, INITIALIZED, PATH_READY, activity, is_initialized, is_news, is_young_start,
    status,
};
use crate::gate::Activity;
use crate::sks::Path;

const QUEUED: &str = "Requests to the target are being buffered as resources are provisioned.";
const NO_TRAFFIC: &str = "The target is not receiving traffic.";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn built(ready: bool) -> Path {
    Path::Built {
        public: "hello".to_owned(),
        private: "hello-private".to_owned(),
        ready,
        message: "No pods".to_owned(),
        proxied_since: None,
    }
}

fn before(active: &Truth) -> PodAutoscalerStatus {
    let (status, reason) = match active {
        Truth::False(reason, _) => ("False", reason.as_str()),
        Truth::Unknown(reason, _) => ("Unknown", reason.as_str()),
        Truth::True | Truth::TrueBecause(..) => ("True", ""),
    };
    let condition = Condition {
        type_: ACTIVE.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        ..Condition::default()
    };
    PodAutoscalerStatus {
        conditions: vec![condition],
        ..PodAutoscalerStatus::default()
    }
}

fn pass(
    before: &PodAutoscalerStatus,
    wanted: Option<u32>,
    ready: u32,
    threshold: u32,
    path: &Path,
) -> PodAutoscalerStatus {
    let found = Findings {
        wanted,
        ready,
        threshold,
        path,
    };
    status(&PodAutoscaler::default(), before, &found, at(100))
}

fn truth(status: &PodAutoscalerStatus, name: &str) -> Truth {
    Truth::of(find(&status.conditions, name))
}

#[test]
fn the_active_condition_follows_the_table_of_the_contract() {
    let (on, off) = (Truth::True, Truth::no("NoTraffic", ""));
    let starting = Truth::unknown("Queued", "");
    let queued = Truth::unknown("Queued", QUEUED);
    let no_traffic = Truth::no("NoTraffic", NO_TRAFFIC);
    let timed_out = Truth::no("TimedOut", "The target could not be activated.");
    let table = [
        // wanted, ready, threshold, before, after
        (Some(0), 0, 1, &starting, &timed_out),
        (Some(0), 1, 1, &on, &no_traffic),
        (Some(0), 0, 1, &off, &no_traffic),
        (Some(0), 0, 0, &starting, &no_traffic),
        (None, 0, 0, &starting, &no_traffic),
        (Some(3), 0, 0, &off, &no_traffic),
        (Some(1), 0, 1, &off, &queued),
        (Some(1), 0, 1, &on, &queued),
        (Some(4), 2, 3, &starting, &queued),
        (None, 0, 1, &off, &no_traffic),
        (None, 0, 1, &starting, &queued),
        (None, 0, 1, &on, &queued),
        (Some(1), 1, 1, &starting, &Truth::True),
        (Some(1), 1, 1, &off, &Truth::True),
        (None, 1, 1, &starting, &Truth::True),
    ];
    for (wanted, ready, threshold, old, new) in table {
        let status = pass(&before(old), wanted, ready, threshold, &built(true));
        let case = format!("wanted {wanted:?}, {ready} of {threshold} ready, was {old}");
        assert_eq!(&truth(&status, ACTIVE), new, "{case}");
    }
    let unchanged = pass(&before(&off), None, 1, 1, &built(true));
    assert!(truth(&unchanged, ACTIVE).is_false());
}

#[test]
fn initialized_needs_pods_and_a_service_and_never_goes_back() {
    let fresh = PodAutoscalerStatus::default();
    assert!(!is_initialized(&pass(&fresh, Some(1), 0, 1, &built(true))));
    assert!(!is_initialized(&pass(
        &fresh,
        Some(1),
        1,
        1,
        &Path::Unbuilt
    )));
    let reached = pass(&fresh, Some(1), 1, 1, &built(true));
    assert!(is_initialized(&reached));
    assert!(is_initialized(&pass(
        &reached,
        Some(0),
        0,
        1,
        &Path::Unbuilt
    )));
    assert!(truth(&reached, "Ready").is_true());
}

#[test]
fn the_way_to_the_revision_is_told() {
    let fresh = PodAutoscalerStatus::default();
    let unbuilt = pass(&fresh, None, 0, 1, &Path::Unbuilt);
    assert_eq!(
        truth(&unbuilt, PATH_READY),
        Truth::unknown("NotReady", "No Private Service Name")
    );
    assert_eq!(truth(&unbuilt, INITIALIZED), Truth::unknown("", ""));
    let waiting = pass(&fresh, None, 0, 1, &built(false));
    assert_eq!(
        truth(&waiting, PATH_READY),
        Truth::unknown("NotReady", "No pods")
    );
    assert_eq!(waiting.service_name, "hello");
    assert_eq!(waiting.metrics_service_name, "hello-private");
    let foreign = pass(&fresh, None, 0, 1, &Path::Foreign("hello".to_owned()));
    let message = "There is an existing ServerlessService \"hello\" that we do not own.";
    assert_eq!(truth(&foreign, ACTIVE), Truth::no("NotOwned", message));
}

#[test]
fn an_unknown_scale_never_overwrites_a_number() {
    let fresh = PodAutoscalerStatus::default();
    let unknown = pass(&fresh, None, 0, 1, &built(true));
    assert_eq!(unknown.desired_scale, Some(-1));
    let known = pass(&unknown, Some(3), 2, 1, &built(true));
    assert_eq!(
        (known.desired_scale, known.actual_scale),
        (Some(3), Some(2))
    );
    assert_eq!(
        pass(&known, None, 2, 1, &built(true)).desired_scale,
        Some(3)
    );
}

#[test]
fn the_same_findings_give_the_same_status() {
    let first = pass(&PodAutoscalerStatus::default(), Some(1), 1, 1, &built(true));
    let found = Findings {
        wanted: Some(1),
        ready: 1,
        threshold: 1,
        path: &built(true),
    };
    assert_eq!(
        status(&PodAutoscaler::default(), &first, &found, at(999)),
        first
    );
}

#[test]
fn activity_and_its_age_are_read_from_the_condition() {
    let fresh = PodAutoscalerStatus::default();
    assert_eq!(activity(&fresh, at(7)), Activity::Activating(at(7)));
    let active = pass(&fresh, Some(1), 1, 1, &built(true));
    assert_eq!(activity(&active, at(500)), Activity::Active(at(100)));
    let idle = pass(&active, Some(0), 1, 1, &built(true));
    assert_eq!(activity(&idle, at(500)), Activity::Inactive(at(100)));
}

#[test]
fn numbers_and_words_are_no_news() {
    let fresh = PodAutoscalerStatus::default();
    let waiting = pass(&fresh, None, 0, 1, &Path::Unbuilt);
    assert!(is_news(&fresh, &waiting));
    let built_meanwhile = pass(&waiting, Some(1), 0, 1, &built(false));
    assert_ne!(built_meanwhile, waiting);
    assert!(!is_news(&waiting, &built_meanwhile));
    let served = pass(&waiting, Some(1), 1, 1, &built(true));
    assert!(is_news(&built_meanwhile, &served));
}

#[test]
fn start_is_told_when_it_takes_more_than_five_seconds() {
    let active = pass(&PodAutoscalerStatus::default(), Some(1), 1, 1, &built(true));
    let idle = pass(&active, Some(0), 0, 1, &built(false));
    let starting = pass(&idle, Some(1), 0, 1, &built(false));
    let begins = at(100);
    assert!(is_young_start(&idle, &starting, begins));
    assert!(is_young_start(&idle, &starting, at(104)));
    assert!(!is_young_start(&idle, &starting, at(105)), "it is slow");
    assert!(
        !is_young_start(&PodAutoscalerStatus::default(), &starting, begins),
        "a new revision says at once what it waits for"
    );
    assert!(
        !is_young_start(&starting, &active, begins),
        "there are pods"
    );
    let renewed = PodAutoscalerStatus {
        observed_generation: Some(2),
        ..starting
    };
    assert!(
        !is_young_start(&idle, &renewed, begins),
        "others wait for the new generation"
    );
}
