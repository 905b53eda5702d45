//! A cluster in memory: what a test does to it, and what it asks of it.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, Resource, ResourceExt};
use parking_lot::Mutex;
use runtime::kube::apply::APPLIED;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::objects::{Key, Objects, Part};
use super::server;

/// What becomes of a write that a test makes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 500, and nothing was written.
    Broken,
    /// 500, but it was written.
    Lost,
    /// 409, and nothing was written.
    Conflict,
    /// 422, and nothing was written.
    Refused,
}

/// A write that our side has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// `create`, `apply`, `patch`, `delete`.
    pub(crate) verb: &'static str,
    /// `plural.group`, with `/status` where that was meant.
    pub(crate) resource: String,
    pub(crate) name: String,
}

/// Reacts to changes as someone else in the cluster would. Must come to an end by itself.
pub(crate) type StandIn = Box<dyn Fn(&mut Hands<'_>) + Send>;

/// An API server in memory. Clones share it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) version: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) objects: Objects,
    pub(super) writes: Vec<Write>,
    pub(super) faults: Vec<(usize, Fault)>,
    pub(super) terminating: Vec<String>,
    stand_ins: Vec<StandIn>,
}

impl Cluster {
    /// Empty but for the config maps of `knative-serving` that the operator can't do without.
    pub(crate) fn new() -> Self {
        let cluster = Self {
            state: Arc::default(),
            version: watch::Sender::new(0),
        };
        cluster.configure(
            "config-deployment",
            "queue-sidecar-image",
            "registry.example.com/queue-proxy:1",
        );
        // Renewals are a matter of the leases' own tests.
        cluster.configure("config-leader-election", "lease-duration", "100h");
        cluster.configure("config-leader-election", "renew-deadline", "90h");
        cluster
    }

    /// A client of this API server.
    pub(crate) fn client(&self) -> Client {
        server::client(self.clone())
    }

    /// Someone of this cluster who is not us.
    pub(crate) fn with(self, stand_in: impl Fn(&mut Hands<'_>) + Send + 'static) -> Self {
        self.state.lock().stand_ins.push(Box::new(stand_in));
        self
    }

    /// Sets one key of a config map.
    pub(crate) fn configure(&self, name: &str, key: &str, value: &str) {
        let namespace = "knative-serving";
        let there: Option<ConfigMap> = self.get(namespace, name);
        let mut data = there.and_then(|map| map.data).unwrap_or_default();
        data.insert(key.to_owned(), value.to_owned());
        self.put(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": namespace },
            "data": data,
        }));
    }

    /// Makes an object as it is, status included, or replaces it.
    pub(crate) fn put(&self, object: Value) {
        self.act(|hands| hands.put(object));
    }

    /// Changes an object that is there.
    pub(crate) fn edit<K>(&self, namespace: &str, name: &str, edit: impl FnOnce(&mut Value))
    where
        K: Resource<DynamicType = ()>,
    {
        let key = key::<K>(namespace, name);
        self.act(|hands| {
            let mut object = hands.objects.get(&key).cloned().expect("it is there");
            edit(&mut object);
            hands.objects.update(&key, object, Part::Whole);
        });
    }

    /// Deletes an object, and what it controls.
    pub(crate) fn delete<K: Resource<DynamicType = ()>>(&self, namespace: &str, name: &str) {
        let key = key::<K>(namespace, name);
        self.act(|hands| {
            hands.objects.delete(&key);
        });
    }

    /// Makes all that is there look as if Knative's own controllers had made it: written by them,
    /// without our marks, and with a hash of theirs on Deployments.
    pub(crate) fn hand_to_predecessor(&self) {
        self.act(|hands| {
            let all: Vec<(Key, Value)> = hands
                .objects
                .all()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            for (key, mut object) in all {
                if let Some(Value::Object(annotations)) =
                    object.pointer_mut("/metadata/annotations")
                {
                    annotations.remove(APPLIED);
                }
                if let Some(hash) =
                    object.pointer_mut("/metadata/labels/serving.knative.dev~1deployment-hash")
                {
                    *hash = "theirs".into();
                }
                let object = hands.objects.update(&key, object, Part::Whole);
                hands.objects.owners(&key).forget();
                hands.objects.owners(&key).wrote_all("controller", &object);
            }
        });
    }

    /// Nothing can be made in the namespace any more.
    pub(crate) fn terminate(&self, namespace: &str) {
        self.state.lock().terminating.push(namespace.to_owned());
    }

    /// The object, if it is there.
    pub(crate) fn get<K>(&self, namespace: &str, name: &str) -> Option<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let object = self
            .state
            .lock()
            .objects
            .get(&key::<K>(namespace, name))?
            .clone();
        Some(serde_json::from_value(object).expect("it is well-formed"))
    }

    /// The object as it was after each change, oldest first.
    pub(crate) fn versions<K>(&self, namespace: &str, name: &str) -> Vec<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let key = key::<K>(namespace, name);
        let state = self.state.lock();
        let changes = state.objects.history.iter().filter(|it| it.key == key);
        let parsed = changes.map(|it| serde_json::from_value(Value::clone(&it.object)));
        parsed.map(|it| it.expect("it is well-formed")).collect()
    }

    /// All objects of a kind.
    pub(crate) fn list<K>(&self) -> Vec<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let objects = self.state.lock().objects.list(&resource::<K>(), "");
        let parsed = objects.into_iter().map(serde_json::from_value);
        parsed.map(|it| it.expect("it is well-formed")).collect()
    }

    /// Kind and name of all that is left in a namespace, but for what others in the cluster made.
    pub(crate) fn left_in(&self, namespace: &str) -> Vec<String> {
        let state = self.state.lock();
        let left = state.objects.all().filter(|(key, object)| {
            key.namespace == namespace && !object["metadata"]["ownerReferences"].is_null()
        });
        left.map(|(key, _)| format!("{}/{}", key.resource, key.name))
            .collect()
    }

    /// What our side has written so far, but for leases. Events go elsewhere.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.state.lock().writes.clone()
    }

    /// Makes the write number `nth` fail, counted from 0 and from the start.
    pub(crate) fn fail(&self, nth: usize, fault: Fault) {
        self.state.lock().faults.push((nth, fault));
    }

    /// Does something to the objects, then lets the stand-ins react, then tells the watches.
    pub(super) fn act<T>(&self, action: impl FnOnce(&mut Hands<'_>) -> T) -> T {
        let mut state = self.state.lock();
        let state = &mut *state;
        let mut hands = Hands {
            objects: &mut state.objects,
        };
        let mut before = hands.objects.version;
        let result = action(&mut hands);
        while hands.objects.has_news_since(before) {
            before = hands.objects.version;
            for stand_in in &state.stand_ins {
                stand_in(&mut hands);
            }
            hands.objects.collect_garbage();
        }
        self.version.send_replace(hands.objects.version);
        result
    }
}

/// The hands of a stand-in: every object, every field.
pub(crate) struct Hands<'a> {
    pub(super) objects: &'a mut Objects,
}

impl Hands<'_> {
    /// Makes an object as it is, or replaces it. Nothing happens when it is there already.
    pub(crate) fn put(&mut self, object: Value) {
        let key = key_of(&object);
        match self.objects.get(&key) {
            Some(_) => self.objects.update(&key, object, Part::Whole),
            None => self.objects.create(&key, object, Part::Whole),
        };
    }

    /// Deletes an object, if it is there.
    pub(crate) fn delete<K: Resource<DynamicType = ()>>(&mut self, namespace: &str, name: &str) {
        let key = key::<K>(namespace, name);
        if self.objects.get(&key).is_some() {
            self.objects.delete(&key);
        }
    }

    /// Replaces the status of an object that is there.
    pub(crate) fn put_status<K>(&mut self, object: &K, status: Value)
    where
        K: Resource<DynamicType = ()>,
    {
        let namespace = object.namespace().unwrap_or_default();
        let key = key::<K>(&namespace, &object.name_any());
        let mut new = self.objects.get(&key).cloned().expect("it is there");
        new["status"] = status;
        self.objects.update(&key, new, Part::Status);
    }

    /// All well-formed objects of a kind.
    pub(crate) fn list<K>(&self) -> Vec<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let objects = self.objects.list(&resource::<K>(), "").into_iter();
        objects
            .filter_map(|it| serde_json::from_value(it).ok())
            .collect()
    }

    /// The object, if it is there and well-formed.
    pub(crate) fn get<K>(&self, namespace: &str, name: &str) -> Option<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let object = self.objects.get(&key::<K>(namespace, name))?;
        serde_json::from_value(object.clone()).ok()
    }
}

/// `plural.group` of a kind.
pub(super) fn resource<K: Resource<DynamicType = ()>>() -> String {
    named(&K::plural(&()), &K::group(&()))
}

fn key<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> Key {
    Key {
        resource: resource::<K>(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// Where an object belongs that says its kind.
pub(super) fn key_of(object: &Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = text(&object["apiVersion"]);
    let group = group.split_once('/').map_or("", |(group, _)| group);
    let kind = text(&object["kind"]).to_lowercase();
    let plural = match kind.as_str() {
        "endpoints" => kind,
        _ if kind.ends_with("ss") => format!("{kind}es"),
        _ => format!("{kind}s"),
    };
    Key {
        resource: named(&plural, group),
        namespace: text(&object["metadata"]["namespace"]),
        name: text(&object["metadata"]["name"]),
    }
}

pub(super) fn named(plural: &str, group: &str) -> String {
    if group.is_empty() {
        plural.to_owned()
    } else {
        format!("{plural}.{group}")
    }
}
