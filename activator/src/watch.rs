//! Objects as they come and go, without keeping them: each is read at the door and dropped, so
//! that ten thousand pods cost what we know of them, not what Kubernetes does.

use std::collections::HashSet;
use std::fmt::Debug;

use futures::{Stream, StreamExt, stream};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tracing::warn;

/// What happened to a kind.
#[derive(Debug)]
pub enum Change<K> {
    /// An object is there, new or changed.
    There(Box<K>),
    /// The object `namespace/name` is gone.
    Gone(String),
    /// All objects that were there at the start of the watch have been told.
    Synced,
}

/// Follows a kind through disconnects, for ever. Malformed objects are told in the log and
/// otherwise left as they were.
pub fn changes<K>(
    api: Api<DeserializeGuard<K>>,
    config: Config,
) -> impl Stream<Item = Change<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut names = Names::default();
    watcher(api, config)
        .default_backoff()
        .flat_map(move |event| {
            let changes = match event {
                Ok(event) => names.changes(event),
                Err(error) => {
                    warn!(kind = %K::kind(&()), %error, "watch was interrupted");
                    Vec::new()
                }
            };
            stream::iter(changes)
        })
}

/// `namespace/name`.
pub fn key<K: Resource>(object: &K) -> String {
    format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    )
}

/// Which objects are there: the difference of two lists tells what went away in between.
#[derive(Debug, Default)]
struct Names {
    there: HashSet<String>,
    /// From the list that is being read.
    listed: HashSet<String>,
}

// === impl Names ===

impl Names {
    fn changes<K>(&mut self, event: Event<DeserializeGuard<K>>) -> Vec<Change<K>>
    where
        K: Resource<DynamicType = ()>,
    {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listed.insert(key(&object));
                parsed(object)
                    .map(|object| Change::There(Box::new(object)))
                    .into_iter()
                    .collect()
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let before = std::mem::replace(&mut self.there, listed);
                let gone = before.into_iter().filter(|name| !self.there.contains(name));
                gone.map(Change::Gone).chain([Change::Synced]).collect()
            }
            Event::Apply(object) => {
                self.there.insert(key(&object));
                parsed(object)
                    .map(|object| Change::There(Box::new(object)))
                    .into_iter()
                    .collect()
            }
            Event::Delete(object) => {
                let name = key(&object);
                self.there.remove(&name);
                vec![Change::Gone(name)]
            }
        }
    }
}

fn parsed<K>(DeserializeGuard(object): DeserializeGuard<K>) -> Option<K>
where
    K: Resource<DynamicType = ()>,
{
    object
        .inspect_err(|malformed| {
            let watcher_name = malformed.metadata.name.as_deref().unwrap_or_default();
            let namespace = malformed.metadata.namespace.as_deref().unwrap_or_default();
            warn!(
                kind = %K::kind(&()), namespace, name = watcher_name, error = malformed.error,
                "skipped a malformed object"
            );
        })
        .ok()
}

/// Lists and watches everything, or what a label selects.
pub fn config(label: Option<&str>) -> Config {
    match label {
        Some(label) => watcher::Config::default().labels(label),
        None => watcher::Config::default(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::core::DeserializeGuard;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::{Change, Names};

    fn pod(name: &str) -> DeserializeGuard<Pod> {
        let pod = json!({"metadata": {"name": name, "namespace": "shop"}});
        serde_json::from_value(pod).unwrap()
    }

    fn broken(name: &str) -> DeserializeGuard<Pod> {
        let pod = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": "none"});
        serde_json::from_value(pod).unwrap()
    }

    fn told(names: &mut Names, event: Event<DeserializeGuard<Pod>>) -> Vec<String> {
        let show = |change: Change<Pod>| match change {
            Change::There(pod) => format!("+{}", super::key(&*pod)),
            Change::Gone(name) => format!("-{name}"),
            Change::Synced => "synced".to_owned(),
        };
        names.changes(event).into_iter().map(show).collect()
    }

    #[test]
    fn what_vanished_between_two_lists_is_told() {
        let mut names = Names::default();
        let none: [&str; 0] = [];
        assert_eq!(told(&mut names, Event::Init), none);
        assert_eq!(told(&mut names, Event::InitApply(pod("a"))), ["+shop/a"]);
        assert_eq!(told(&mut names, Event::InitDone), ["synced"]);
        assert_eq!(told(&mut names, Event::Apply(pod("b"))), ["+shop/b"]);
        assert_eq!(told(&mut names, Event::Delete(pod("b"))), ["-shop/b"]);
        assert_eq!(told(&mut names, Event::Init), none);
        assert_eq!(told(&mut names, Event::InitApply(pod("c"))), ["+shop/c"]);
        assert_eq!(told(&mut names, Event::InitDone), ["-shop/a", "synced"]);
    }

    #[test]
    fn malformed_neighbour_changes_nothing() {
        let mut names = Names::default();
        let none: [&str; 0] = [];
        assert_eq!(told(&mut names, Event::Apply(pod("a"))), ["+shop/a"]);
        assert_eq!(told(&mut names, Event::Apply(broken("a"))), none);
        assert_eq!(told(&mut names, Event::Init), none);
        assert_eq!(told(&mut names, Event::InitApply(broken("a"))), none);
        assert_eq!(told(&mut names, Event::InitDone), ["synced"]);
    }
}
