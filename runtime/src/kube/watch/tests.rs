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

fn watched() -> (Watched<ConfigMap>, Feed<ConfigMap>) {
    let (store, writer) = reflector::store();
    let (version_sender, version) = watch::channel(0);
    let (filled_sender, filled) = watch::channel(false);
    let subscribers = Subscribers::default();
    let feed = Feed {
        writer,
        subscribers: subscribers.clone(),
        version: version_sender,
        filled: filled_sender,
    };
    (
        Watched {
            store,
            subscribers,
            version,
            filled,
        },
        feed,
    )
}

async fn names_after(events: Vec<Event<DeserializeGuard<ConfigMap>>>) -> (Vec<String>, usize) {
    let (watched, feed) = watched();
    let (store, subscribers) = (watched.store(), watched.subscribers.clone());
    let changes = watched.subscribe();
    feed.run(stream::iter(events.into_iter().map(Ok))).await;
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

#[tokio::test]
async fn everyone_who_waits_for_the_first_list_is_woken() {
    let (watched, feed) = watched();
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let watched = watched.clone();
            tokio::spawn(async move { watched.wait_until_synced().await })
        })
        .collect();
    // All of them wait before anything happens.
    tokio::task::yield_now().await;
    let events = [Event::Init, Event::InitDone].map(Ok);
    feed.run(stream::iter(events)).await;
    for waiter in waiters {
        waiter.await.unwrap();
    }
}
