//! The objects of a cluster in memory, and every change of them in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ownership::Owners;

/// Leases are written all the time: their writes are not counted, and don't fail.
pub(super) const LEASES: &str = "leases.coordination.k8s.io";

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// `plural.group`, or `plural` of the core group.
    pub(super) resource: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A change, as a watch tells it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    /// ADDED, MODIFIED or DELETED.
    pub(super) what: &'static str,
    pub(super) key: Key,
    pub(super) object: Arc<Value>,
}

#[derive(Clone, Debug)]
struct Stored {
    object: Value,
    owners: Owners,
}

/// All objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects {
    stored: BTreeMap<Key, Stored>,
    /// How often an object was made under a key: part of its uid.
    births: BTreeMap<Key, u32>,
    pub(super) history: Vec<Change>,
    pub(super) version: u64,
}

/// What a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but the status.
    Main,
    /// The status only.
    Status,
    /// Everything: a stand-in speaks for whom it wants.
    Whole,
}

impl Objects {
    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.stored.get(key).map(|stored| &stored.object)
    }

    /// Whether something has changed since `version` that concerns more than who works.
    pub(super) fn has_news_since(&self, version: u64) -> bool {
        let seen = self
            .history
            .partition_point(|change| change.version <= version);
        self.history[seen..]
            .iter()
            .any(|it| it.key.resource != LEASES)
    }

    /// The objects of one resource, in one namespace if it is not empty.
    pub(super) fn list(&self, resource: &str, namespace: &str) -> Vec<Value> {
        let wanted = self.stored.iter().filter(|(key, _)| {
            key.resource == resource && (namespace.is_empty() || key.namespace == namespace)
        });
        wanted.map(|(_, stored)| stored.object.clone()).collect()
    }

    /// Every object with its key.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.stored
            .iter()
            .map(|(key, stored)| (key, &stored.object))
    }

    /// Makes a new object; the caller has looked whether the name is free.
    pub(super) fn create(&mut self, key: &Key, mut object: Value, part: Part) -> Value {
        let births = self.births.entry(key.clone()).or_default();
        *births += 1;
        // The same in every run, and another one for a second object of that name.
        // Fit for a name: some children are called after it.
        let uid = format!("{}.{}.{}.{births}", key.resource, key.namespace, key.name);
        if part == Part::Main {
            remove(&mut object, "status");
        }
        let metadata = &mut object["metadata"];
        metadata["name"] = key.name.as_str().into();
        if !key.namespace.is_empty() {
            metadata["namespace"] = key.namespace.as_str().into();
        }
        metadata["uid"] = uid.into();
        metadata["generation"] = 1.into();
        metadata["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
        self.store(key, object, "ADDED")
    }

    /// Replaces `part` of an object. Nothing happens when that changes nothing.
    pub(super) fn update(&mut self, key: &Key, mut new: Value, part: Part) -> Value {
        let old = self.stored[key].object.clone();
        match part {
            Part::Main => keep(&mut new, &old, "status"),
            Part::Status => {
                let status = new["status"].take();
                new = old.clone();
                new["status"] = status;
            }
            Part::Whole => {}
        }
        for field in ["uid", "creationTimestamp", "generation", "resourceVersion"] {
            new["metadata"][field] = old["metadata"][field].clone();
        }
        if new == old {
            return old;
        }
        if spec_of(&new) != spec_of(&old) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
            new["metadata"]["generation"] = (generation + 1).into();
        }
        let leaving = !new["metadata"]["deletionTimestamp"].is_null();
        let held = new["metadata"]["finalizers"].as_array();
        if leaving && held.is_none_or(Vec::is_empty) {
            return self.remove(key);
        }
        self.store(key, new, "MODIFIED")
    }

    /// Deletes an object, or marks it as leaving while finalizers hold it.
    pub(super) fn delete(&mut self, key: &Key) -> Value {
        let mut object = self.stored[key].object.clone();
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return object;
        }
        let held = object["metadata"]["finalizers"].as_array();
        if held.is_none_or(Vec::is_empty) {
            return self.remove(key);
        }
        object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        self.store(key, object, "MODIFIED")
    }

    /// The fields that `manager` has applied on the object.
    pub(super) fn owners(&mut self, key: &Key) -> &mut Owners {
        let stored = self.stored.get_mut(key);
        &mut stored.expect("the caller has looked").owners
    }

    fn remove(&mut self, key: &Key) -> Value {
        let stored = self.stored.remove(key);
        let object = stored.map(|stored| stored.object).unwrap_or_default();
        self.tell("DELETED", key, object.clone());
        object
    }

    /// Objects whose owner is gone go.
    pub(super) fn collect_garbage(&mut self) {
        let uids: Vec<Value> = self
            .stored
            .values()
            .map(|stored| stored.object["metadata"]["uid"].clone())
            .collect();
        let orphans: Vec<Key> = self
            .stored
            .iter()
            .filter(|(_, stored)| {
                let owners = stored.object["metadata"]["ownerReferences"].as_array();
                let mut owners = owners.into_iter().flatten();
                owners.any(|owner| !uids.contains(&owner["uid"]))
            })
            .map(|(key, _)| key.clone())
            .collect();
        for orphan in orphans {
            if self.stored.contains_key(&orphan) {
                self.delete(&orphan);
            }
        }
    }

    fn store(&mut self, key: &Key, object: Value, what: &'static str) -> Value {
        let object = self.tell(what, key, object);
        let owners = self.stored.remove(key).map(|stored| stored.owners);
        let stored = Stored {
            object: object.clone(),
            owners: owners.unwrap_or_default(),
        };
        self.stored.insert(key.clone(), stored);
        object
    }

    fn tell(&mut self, what: &'static str, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.history.push(Change {
            version: self.version,
            what,
            key: key.clone(),
            object: Arc::new(object.clone()),
        });
        object
    }
}

fn spec_of(object: &Value) -> Value {
    let mut object = object.clone();
    remove(&mut object, "metadata");
    remove(&mut object, "status");
    object
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

fn keep(new: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => new[field] = value.clone(),
        None => remove(new, field),
    }
}

/// The answer to a list.
pub(super) fn list_of(items: &[Value], version: u64) -> Value {
    json!({
        "kind": "List", "apiVersion": "v1",
        "metadata": { "resourceVersion": version.to_string() },
        "items": items,
    })
}
