use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::DeserializeGuard;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use serde_json::json;
use tokio::sync::watch;

use super::{Feed, Subscribers, Watched};

fn guarded(name: &str, data: &serde_json::Value) -> DeserializeGuard<ConfigMap> {
    serde_json::from_value(json!({
        "metadata": { "name": name, "namespace": "ns", "managedFields": [{ "manager": "m" }] },
        "data": data
    }))
    .unwrap()
}

async fn names_after(events: Vec<Event<DeserializeGuard<ConfigMap>>>) -> (Vec<String>, usize) {
    let (store, writer) = reflector::store();
    let (version, receiver) = watch::channel(0);
    let subscribers = Subscribers::default();
    let watched = Watched {
        store: store.clone(),
        subscribers: subscribers.clone(),
        version: receiver,
    };
    let changes = watched.subscribe();
    Feed {
        writer,
        subscribers: subscribers.clone(),
        version,
    }
    .run(stream::iter(events.into_iter().map(Ok)))
    .await;
    subscribers.lock().clear();
    let names = changes
        .map(|object| object.metadata.name.clone().unwrap())
        .collect()
        .await;
    (names, store.len())
}

#[tokio::test]
async fn a_malformed_object_does_not_stop_the_watch() {
    let good = json!({"a": "1"});
    let (names, stored) = names_after(vec![
        Event::Init,
        Event::InitApply(guarded("one", &good)),
        Event::InitApply(guarded("broken", &json!("not a map"))),
        Event::InitDone,
        Event::Apply(guarded("two", &good)),
    ])
    .await;
    assert_eq!(names, ["one", "two"]);
    assert_eq!(stored, 2);
}

#[tokio::test]
async fn what_vanished_while_the_watch_was_away_is_published() {
    let good = json!({"a": "1"});
    let (names, stored) = names_after(vec![
        Event::Init,
        Event::InitApply(guarded("gone", &good)),
        Event::InitDone,
        Event::Init,
        Event::InitDone,
    ])
    .await;
    assert_eq!(names, ["gone", "gone"]);
    assert_eq!(stored, 0);
}
