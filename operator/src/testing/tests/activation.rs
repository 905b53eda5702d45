//! A revision at zero that can't start when a request comes.

use crds::revision::Revision;
use crds::service::Service;
use serde_json::{Value, json};

use super::{said, with_hello};
use crate::testing::stand_ins::{pods_fail, pods_run, scale};

const PULL: &str = "can't pull";

/// Each with the reason that people read.
fn troubles() -> Vec<(Value, &'static str)> {
    let container = |state: Value, last: Value| {
        json!({ "containerStatuses": [{
            "name": "user-container", "image": "", "imageID": "", "ready": false, "restartCount": 1,
            "state": state, "lastState": last,
        }] })
    };
    let waits = json!({ "waiting": { "reason": "ImagePullBackOff", "message": PULL } });
    let ended = json!({ "terminated": { "exitCode": 3, "message": "boom" } });
    let back_off = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
    let nowhere = json!({ "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }] });
    vec![
        (container(waits, json!({})), "ImagePullBackOff: can't pull"),
        (
            container(back_off, ended),
            "ExitCode3: Container failed with: boom",
        ),
        (nowhere, "Unschedulable: 0/1 nodes are available"),
    ]
}

#[tokio::test(start_paused = true)]
async fn the_cause_outlives_the_pods_and_ends_with_one_that_serves() {
    for (trouble, told) in troubles() {
        let (cluster, mut operator) = with_hello().await;
        scale(&cluster, 0);
        operator.settled().await;
        assert_eq!(said::<Service>(&cluster, "hello", "Ready"), "True");
        assert_eq!(said::<Service>(&cluster, "hello", "ActivationFailed"), "");
        operator.events();

        pods_fail(&cluster, &trouble);
        scale(&cluster, 1);
        operator.settled().await;
        scale(&cluster, 0);
        operator.settled().await;
        assert_eq!(
            said::<Revision>(&cluster, "hello-00001", "Active"),
            format!("False {told}")
        );
        let (reason, message) = told.split_once(": ").unwrap();
        let alarm = format!("{reason}: Revision \"hello-00001\" can't start: {message}");
        assert_eq!(
            said::<Service>(&cluster, "hello", "ActivationFailed"),
            format!("True {alarm}")
        );
        let events = operator.events();
        let of_revision =
            format!("Revision/hello-00001 ColdStartFailed: The revision can't start: {told}");
        let of_service = format!("Service/hello ColdStartFailed: {alarm}");
        for event in [of_revision, of_service] {
            let times = events.iter().filter(|it| **it == event).count();
            assert_eq!(times, 1, "{event}: {events:#?}");
        }

        pods_run(&cluster);
        scale(&cluster, 1);
        operator.settled().await;
        assert_eq!(said::<Revision>(&cluster, "hello-00001", "Active"), "True");
        assert_eq!(said::<Service>(&cluster, "hello", "Ready"), "True");
        assert_eq!(said::<Service>(&cluster, "hello", "ActivationFailed"), "");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_by_itself_leaves_a_revision_at_zero_ready() {
    for (trouble, told) in troubles() {
        let (cluster, operator) = with_hello().await;
        pods_fail(&cluster, &trouble);
        scale(&cluster, 1);
        operator.settled().await;
        scale(&cluster, 0);
        operator.settled().await;
        let ready = said::<Revision>(&cluster, "hello-00001", "Ready");
        // An app that ended by itself is not to be trusted before it has served again.
        let wanted = if told.starts_with("ExitCode") {
            format!("False {told}")
        } else {
            "True".to_owned()
        };
        assert_eq!(ready, wanted, "{told}");
    }
}
