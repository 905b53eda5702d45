//! Watches: one per kind, read by everyone through a store; changes, deletions included, reach
//! every subscriber. A malformed object is skipped and logged; it never stops the watch.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Api, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use crate::tasks::Tasks;

/// Changes that may wait for one subscriber before the watch waits for it: enough for the burst
/// of a rollout, little enough not to hide a subscriber that hangs.
const WAITING_CHANGES: usize = 1024;

/// What kinds must be to be watched.
pub trait Watchable:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Watchable for K where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}

/// A kind that is being watched. Clones share the watch.
#[derive(Debug)]
pub struct Watched<K: Watchable> {
    store: Store<K>,
    subscribers: Subscribers<K>,
    version: watch::Receiver<u64>,
    // Not the store's own `wait_until_ready`: of several tasks that wait there, it wakes one.
    filled: watch::Receiver<bool>,
}

type Subscribers<K> = Arc<Mutex<Vec<mpsc::Sender<Arc<K>>>>>;

impl<K: Watchable> Clone for Watched<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            subscribers: Arc::clone(&self.subscribers),
            version: self.version.clone(),
            filled: self.filled.clone(),
        }
    }
}

/// Watches what `api` (`Api::all(client)`, `Api::namespaced(client, "ns")`) and `config` choose,
/// through disconnects, until shutdown.
pub fn start<K: Watchable>(
    tasks: &Tasks,
    api: Api<DeserializeGuard<K>>,
    config: watcher::Config,
) -> Watched<K> {
    let (store, writer) = reflector::store();
    let (version_sender, version) = watch::channel(0);
    let (filled_sender, filled) = watch::channel(false);
    let subscribers = Subscribers::default();
    let feed = Feed {
        writer,
        subscribers: Arc::clone(&subscribers),
        version: version_sender,
        filled: filled_sender,
    };
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("watch", async move {
        let events = watcher(api, config).default_backoff();
        tokio::select! {
            () = feed.run(events) => {}
            () = shutdown.wait() => {}
        }
        Ok::<(), Infallible>(())
    });
    Watched {
        store,
        subscribers,
        version,
        filled,
    }
}

impl<K: Watchable> Watched<K> {
    /// What is there now, as far as the watch knows.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Every object that is there, then every object that is added, changed or deleted, after
    /// the store shows it. The watch waits for a subscriber that does not read.
    pub fn subscribe(&self) -> impl Stream<Item = Arc<K>> + Send + use<K> {
        let (sender, receiver) = mpsc::channel(WAITING_CHANGES);
        self.subscribers.lock().push(sender);
        let changes = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|object| (object, receiver))
        });
        stream::iter(self.store.state()).chain(changes)
    }

    /// A number that moves with every change of the store, for readers who look at all of it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.clone()
    }

    /// Returns once the store has been filled for the first time. Cancel-safe.
    pub async fn wait_until_synced(&self) {
        // Fails only when the watch has ended, and then the process is ending as well.
        let _ = self.filled.clone().wait_for(|filled| *filled).await;
    }
}

/// The writing end of a watch.
struct Feed<K: Watchable> {
    writer: Writer<K>,
    subscribers: Subscribers<K>,
    version: watch::Sender<u64>,
    filled: watch::Sender<bool>,
}

type Guarded<K> = Result<Event<DeserializeGuard<K>>, watcher::Error>;

impl<K: Watchable> Feed<K> {
    async fn run(mut self, events: impl Stream<Item = Guarded<K>>) {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event).await,
                Err(error) => warn!(kind = %K::kind(&()), %error, "watch was interrupted"),
            }
        }
    }

    async fn take(&mut self, event: Event<DeserializeGuard<K>>) {
        let Some(event) = well_formed(event) else {
            return;
        };
        match event {
            Event::Apply(object) => {
                let changed = Arc::new(object.clone());
                self.writer.apply_watcher_event(&Event::Apply(object));
                self.publish(changed).await;
            }
            Event::Delete(object) => {
                let changed = Arc::new(object.clone());
                self.writer.apply_watcher_event(&Event::Delete(object));
                self.publish(changed).await;
            }
            Event::InitDone => self.relisted().await,
            begun @ (Event::Init | Event::InitApply(_)) => self.writer.apply_watcher_event(&begun),
        }
    }

    /// A list has replaced the store: all that is there now has perhaps changed, and all that is
    /// not there any more was deleted while the watch was away.
    async fn relisted(&mut self) {
        let store = self.writer.as_reader();
        let mut gone: HashMap<ObjectRef<K>, Arc<K>> = store
            .state()
            .into_iter()
            .map(|object| (ObjectRef::from_obj(&*object), object))
            .collect();
        self.writer.apply_watcher_event(&Event::InitDone);
        self.filled.send_replace(true);
        for object in store.state() {
            gone.remove(&ObjectRef::from_obj(&*object));
            self.publish(object).await;
        }
        for object in gone.into_values() {
            self.publish(object).await;
        }
        // Also when the list was empty.
        self.version.send_modify(|version| *version += 1);
    }

    async fn publish(&mut self, object: Arc<K>) {
        self.version.send_modify(|version| *version += 1);
        let subscribers = self.subscribers.lock().clone();
        let mut closed = false;
        for subscriber in subscribers {
            closed |= subscriber.send(Arc::clone(&object)).await.is_err();
        }
        if closed {
            self.subscribers
                .lock()
                .retain(|subscriber| !subscriber.is_closed());
        }
    }
}

/// The event without its guard and without what nobody reads: the managed fields, which are half
/// of an object. None for a malformed object.
fn well_formed<K: Watchable>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
    let unpack = |DeserializeGuard(parsed): DeserializeGuard<K>| match parsed {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            Some(object)
        }
        Err(malformed) => {
            let name = malformed.metadata.name.as_deref().unwrap_or_default();
            let namespace = malformed.metadata.namespace.as_deref().unwrap_or_default();
            warn!(kind = %K::kind(&()), namespace, name, error = malformed.error, "skipped a malformed object");
            None
        }
    };
    match event {
        Event::Apply(object) => unpack(object).map(Event::Apply),
        Event::Delete(object) => unpack(object).map(Event::Delete),
        Event::InitApply(object) => unpack(object).map(Event::InitApply),
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
    }
}

#[cfg(test)]
mod tests;
