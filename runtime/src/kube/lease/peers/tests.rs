use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Peers, is_alive};
use crate::kube::lease::Identity;
use crate::kube::lease::seat::{Life, Place};

const SECOND: Duration = Duration::from_secs(1);

fn pod(name: &str, status: &Value) -> Pod {
    serde_json::from_value(json!({ "metadata": { "name": name }, "status": status })).unwrap()
}

fn ready(name: &str) -> Pod {
    let status = json!({
        "phase": "Running",
        "conditions": [{ "type": "Ready", "status": "True" }],
        "containerStatuses": [container("running")],
    });
    pod(name, &status)
}

fn container(state: &str) -> Value {
    json!({
        "name": "controller", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": { state: match state { "terminated" => json!({ "exitCode": 1 }), _ => json!({}) } },
    })
}

fn me() -> Identity {
    Identity::of_address("controller-7d-a", "1")
}

fn peers(pods: &[Pod], now: Instant) -> Peers {
    let mut peers = Peers::default();
    peers.update(&me(), pods.iter(), now);
    peers
}

#[test]
fn a_pod_is_alive_while_one_of_its_containers_can_run() {
    for (status, alive) in [
        (json!({ "phase": "Pending" }), true),
        (
            json!({ "phase": "Running", "containerStatuses": [container("running")] }),
            true,
        ),
        (
            json!({ "phase": "Running", "containerStatuses": [container("terminated")] }),
            false,
        ),
        (
            json!({ "phase": "Running", "containerStatuses": [container("waiting")] }),
            false,
        ),
        (
            json!({ "phase": "Running",
                "containerStatuses": [container("waiting"), container("running")] }),
            true,
        ),
        (
            json!({ "phase": "Failed", "containerStatuses": [container("running")] }),
            false,
        ),
        (json!({ "phase": "Succeeded" }), false),
        (
            json!({ "phase": "Unknown", "containerStatuses": [container("running")] }),
            true,
        ),
    ] {
        assert_eq!(
            is_alive(&pod("controller-7d-b", &status)),
            alive,
            "{status}"
        );
    }
}

#[test]
fn only_the_api_server_declares_a_holder_gone() {
    let (me, now) = (me(), Instant::now());
    let holder = "controller-7d-b_2";
    let times = (2 * SECOND, now + 4 * SECOND);
    let life = |peers: &Peers, sign| peers.life(&me, holder, sign, times);

    let unlisted = Peers::default();
    assert_eq!(life(&unlisted, now), Life::Alive, "nothing is known yet");
    assert_eq!(
        life(&peers(&[ready("controller-7d-b")], now), now),
        Life::Alive
    );

    let mut peers = peers(&[ready("controller-7d-a")], now);
    assert_eq!(life(&peers, now), Life::Doubtful);
    let asked = now + 3 * SECOND;
    peers.answered("controller-7d-b".to_owned(), false, asked);
    assert_eq!(life(&peers, now), Life::Gone(asked));
    // Written after the question: by another process.
    assert_eq!(life(&peers, now + 4 * SECOND), Life::Doubtful);
    peers.answered("controller-7d-b".to_owned(), true, asked);
    assert_eq!(life(&peers, now), Life::Alive);
    let later = (2 * SECOND, now + 5 * SECOND);
    assert_eq!(
        peers.life(&me, holder, now, later),
        Life::Doubtful,
        "asked again"
    );
}

#[test]
fn strangers_are_never_declared_gone() {
    let (me, now) = (me(), Instant::now());
    let peers = peers(&[], now);
    for holder in ["laptop_1", "someone", "net-controller-7d-b_1"] {
        let life = peers.life(&me, holder, now, (SECOND, now));
        assert_eq!(life, Life::Alive, "{holder}");
    }
}

#[test]
fn each_lease_has_one_right_replica() {
    let now = Instant::now();
    let names = ["controller-7d-a", "controller-7d-b", "controller-7d-c"];
    let pods = names.map(ready);
    let mut counts = [0; 3];
    for number in 0..99 {
        let lease = format!("route.{number:02}-of-99");
        let here: Vec<usize> = (0..3)
            .filter(|index| {
                let me = Identity::of_address(names[*index], "1");
                let mut peers = Peers::default();
                peers.update(&me, pods.iter(), now);
                peers.place(&me, &lease, (SECOND, now)) == Place::Here
            })
            .collect();
        assert_eq!(here.len(), 1, "{lease}");
        counts[here[0]] += 1;
    }
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
}

#[test]
fn a_replica_counts_when_it_is_ready_and_is_worth_a_move_later() {
    let (me, now) = (me(), Instant::now());
    let other = "controller-7d-b";
    let theirs = |peers: &Peers, now| {
        let leases = (0..20).map(|number| format!("lease-{number}"));
        let mut places = leases.map(|lease| peers.place(&me, &lease, (15 * SECOND, now)));
        places
            .find(|place| *place != Place::Here)
            .unwrap_or(Place::Here)
    };
    let unready = pod(other, &json!({ "phase": "Running" }));
    assert_eq!(theirs(&peers(&[unready], now), now), Place::Here);
    let mut leaving = ready(other);
    leaving.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-11-21T00:00:00Z")).unwrap());
    assert_eq!(theirs(&peers(&[leaving], now), now), Place::Here);

    let mut peers = peers(&[ready(other)], now);
    assert_eq!(theirs(&peers, now), Place::Elsewhere);
    // Another look at the same pod does not start its time anew.
    peers.update(&me, [ready(other)].iter(), now + 14 * SECOND);
    assert_eq!(theirs(&peers, now + 15 * SECOND), Place::Settled);
    assert_eq!(theirs(&Peers::default(), now), Place::Here);
}
