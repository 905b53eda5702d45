use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use net::serve::Transport;

use super::{PodState, Trouble, Word, pod_state, revision_of, transport};
use crate::revision::RevisionId;

/// A pod of `shop/cart-00001` with an address, changed by `patch` (JSON merge).
fn pod(patch: Value) -> Pod {
    let mut pod = json!({
        "metadata": {
            "name": "p",
            "namespace": "shop",
            "labels": {"serving.knative.dev/revision": "cart-00001"},
        },
        "spec": {"containers": [
            {"name": "user-container"},
            {"name": "queue-proxy", "ports": [
                {"name": "http-autometric", "containerPort": 9090},
                {"name": "queue-port", "containerPort": 8013},
            ]},
        ]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": []},
    });
    merge(&mut pod, patch);
    serde_json::from_value(pod).unwrap()
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

fn status(state: &Value, restarts: i32) -> Value {
    json!({"containerStatuses": [{
        "name": "user-container", "image": "i", "imageID": "", "ready": false,
        "restartCount": restarts, "state": state,
        "lastState": {"terminated": {"exitCode": 1, "message": "boom"}},
    }]})
}

fn waiting(reason: &str) -> Value {
    status(&json!({"waiting": {"reason": reason, "message": "why"}}), 0)
}

fn up(word: Word, restarts: i32, trouble: Option<Trouble>) -> PodState {
    PodState::Up {
        address: "10.0.0.1:8013".parse().unwrap(),
        word,
        restarts,
        trouble,
    }
}

fn trouble(reason: &str, message: &str) -> Trouble {
    Trouble {
        container: Some("user-container".into()),
        reason: reason.into(),
        message: message.into(),
        lasting: true,
    }
}

fn check(cases: Vec<(&str, Value, PodState)>) {
    for (case, patch, expected) in cases {
        assert_eq!(pod_state(&pod(patch)), expected, "{case}");
    }
}

#[test]
fn pod_is_where_kubernetes_says_unless_it_leaves() {
    let starting = || PodState::Starting {
        port: 8013,
        word: Word::QueueProxy,
        restarts: 0,
        trouble: None,
    };
    let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    let (address, restarts) = ("10.0.0.1:8013".parse().unwrap(), 0);
    let leaving = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    check(vec![
        ("no address", json!({"status": {"podIP": null}}), starting()),
        ("bad address", json!({"status": {"podIP": "x"}}), starting()),
        ("address", json!({}), up(Word::QueueProxy, 0, None)),
        (
            "ready",
            json!({"status": ready}),
            PodState::Ready { address, restarts },
        ),
        (
            "failed",
            json!({"status": {"phase": "Failed"}}),
            PodState::Gone,
        ),
        (
            "leaving, though ready",
            json!({"metadata": leaving, "status": ready}),
            PodState::Gone,
        ),
    ]);
}

#[test]
fn pod_with_a_certificate_is_spoken_to_over_tls() {
    let plain = pod(json!({}));
    assert_eq!(transport(&plain), Transport::Plain);
    let volumes = json!([{"name": "server-certs", "secret": {"secretName": "serving-certs"}}]);
    let encrypted = pod(json!({"spec": {"volumes": volumes}}));
    assert_eq!(transport(&encrypted), Transport::Tls);
    let address = pod_state(&encrypted).address().unwrap();
    assert_eq!(address.port(), 8112);
}

#[test]
fn probes_that_only_kubelet_runs_need_its_word() {
    let spec = |container: Value| json!({"spec": {"containers": [container]}});
    let (restarts, trouble) = (0, None);
    let address = "10.0.0.1:8012".parse().unwrap();
    let up = |word| PodState::Up {
        address,
        word,
        restarts,
        trouble: trouble.clone(),
    };
    let exec = json!({"name": "a", "readinessProbe": {"exec": {"command": ["x"]}}});
    let http = json!({"name": "a", "readinessProbe": {"httpGet": {"port": 1}}});
    let startup = json!({"name": "a", "startupProbe": {"tcpSocket": {"port": 1}}});
    check(vec![
        ("exec probe", spec(exec), up(Word::Kubelet)),
        ("startup probe", spec(startup), up(Word::Kubelet)),
        ("http probe", spec(http), up(Word::QueueProxy)),
    ]);
}

#[test]
fn trouble_is_what_does_not_pass_by_itself() {
    let case = |status: Value| json!({"status": status});
    let up = |restarts, trouble| up(Word::QueueProxy, restarts, trouble);
    let running = json!({"running": {}});
    let pull = trouble("ImagePullBackOff", "why");
    let looping = trouble("CrashLoopBackOff", "boom");
    check(vec![
        (
            "image can't be pulled",
            case(waiting("ImagePullBackOff")),
            up(0, Some(pull)),
        ),
        (
            "is being made",
            case(waiting("ContainerCreating")),
            up(0, None),
        ),
        (
            "one crash is no loop",
            case(status(&running, 1)),
            up(1, None),
        ),
        (
            "runs between two crashes",
            case(status(&running, 2)),
            up(2, Some(looping)),
        ),
    ]);
}

#[test]
fn unschedulable_pods_may_find_a_node_later() {
    let unschedulable = json!({"podIP": null, "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }]});
    let state = pod_state(&pod(json!({"status": unschedulable})));
    assert!(state.lasting_trouble().is_none());
    let PodState::Starting {
        trouble: Some(trouble),
        ..
    } = state
    else {
        panic!("{state:?}")
    };
    assert_eq!(
        trouble.to_string(),
        "pod is in Unschedulable: 0/1 nodes are available"
    );
}

#[test]
fn trouble_reads_as_a_sentence() {
    assert_eq!(
        trouble("ErrImagePull", "not found\n").to_string(),
        "container user-container is in ErrImagePull: not found"
    );
    assert_eq!(
        trouble("CrashLoopBackOff", "").to_string(),
        "container user-container is in CrashLoopBackOff"
    );
}

#[test]
fn label_names_the_revision() {
    assert_eq!(
        revision_of(&pod(json!({}))),
        Some(RevisionId::new("shop", "cart-00001"))
    );
    assert_eq!(
        revision_of(&pod(json!({"metadata": {"labels": null}}))),
        None
    );
}
