//! Server-side apply, as far as our controllers depend on it: who applied which field, and that a
//! field goes when the last one who applied it no longer does. Lists are atomic.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

type Path = Vec<String>;

/// Who wrote, and how: `Apply`, or `Update` for everything else.
pub(super) type Writer = (String, &'static str);

pub(super) const APPLY: &str = "Apply";
pub(super) const UPDATE: &str = "Update";

/// The fields of one object by who wrote them.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    paths: BTreeMap<Writer, BTreeSet<Path>>,
}

/// Fields that the API server sets, or that name the object.
const NOT_OWNED: [[&str; 2]; 3] = [
    ["metadata", "name"],
    ["metadata", "namespace"],
    ["metadata", "resourceVersion"],
];

impl Owners {
    /// Brings `object` to what `manager` applies, by force.
    pub(super) fn apply(&mut self, manager: &str, object: &mut Value, applied: &Value) {
        let writer = (manager.to_owned(), APPLY);
        let before = self
            .paths
            .insert(writer, owned(applied))
            .unwrap_or_default();
        for path in before {
            if !self.paths.values().any(|paths| paths.contains(&path)) {
                remove(object, &path);
            }
        }
        merge(object, applied);
    }

    /// Everything on `object` was written by `manager`, which does not apply.
    pub(super) fn wrote_all(&mut self, manager: &str, object: &Value) {
        self.paths
            .insert((manager.to_owned(), UPDATE), owned(object));
    }

    /// Nobody is known to have written anything.
    pub(super) fn forget(&mut self) {
        self.paths.clear();
    }

    /// As `managedFields` shows them: the names only.
    pub(super) fn entries(&self) -> Value {
        let entries = self.paths.keys().map(|(manager, operation)| {
            json!({ "manager": manager, "operation": operation, "fieldsV1": {} })
        });
        entries.collect::<Vec<_>>().into()
    }

    /// Those who are in `entries`, and whoever is last there has the fields of all others, too.
    pub(super) fn hand_over(&mut self, entries: &Value) {
        let writer = |entry: &Value| -> Option<Writer> {
            let manager = entry["manager"].as_str()?.to_owned();
            let applies = entry["operation"].as_str()? == APPLY;
            Some((manager, if applies { APPLY } else { UPDATE }))
        };
        let entries = entries.as_array().into_iter().flatten();
        let writers: Vec<Writer> = entries.filter_map(writer).collect();
        let Some(last) = writers.last() else { return };
        let (stay, go): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.paths)
            .into_iter()
            .partition(|(writer, _)| writers.contains(writer));
        self.paths = stay;
        let heir = self.paths.entry(last.clone()).or_default();
        heir.extend(go.into_values().flatten());
    }
}

fn owned(object: &Value) -> BTreeSet<Path> {
    let mut paths = BTreeSet::new();
    leaves(object, &mut Vec::new(), &mut paths);
    let is_free = |path: &Path| {
        let by_server = |it: &[&str; 2]| path.iter().take(2).eq(it.iter());
        path.len() > 1 && !NOT_OWNED.iter().any(by_server)
    };
    paths.retain(is_free);
    paths
}

fn leaves(value: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, below) in fields {
                path.push(key.clone());
                leaves(below, path, found);
                path.pop();
            }
        }
        _ => {
            found.insert(path.clone());
        }
    }
}

fn merge(object: &mut Value, applied: &Value) {
    match (object, applied) {
        (Value::Object(object), Value::Object(applied)) => {
            for (key, value) in applied {
                merge(object.entry(key).or_insert(Value::Null), value);
            }
        }
        (object, Value::Object(applied)) => {
            *object = Value::Object(Map::new());
            merge(object, &Value::Object(applied.clone()));
        }
        (object, applied) => *object = applied.clone(),
    }
}

fn remove(object: &mut Value, path: &[String]) {
    let [key, below @ ..] = path else { return };
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    if below.is_empty() {
        fields.remove(key);
    } else if let Some(value) = fields.get_mut(key) {
        remove(value, below);
    }
}
