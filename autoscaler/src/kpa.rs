//! The autoscaler's work on PodAutoscalers: one tender per revision, started when its
//! PodAutoscaler appears and stopped when it goes.
//!
//! All of a revision's work is in its tender; nothing is shared between revisions but stores and
//! the ledger.
//!
//! Every replica tends every revision, with the same reports and the same pods before it, so all
//! come to the same decisions; only the holder of the revision's lease acts on them. Whoever takes
//! over has nothing to catch up on.

pub mod pass;
mod tend;
mod tender;

use std::collections::HashMap;
use std::sync::Arc;

use crds::autoscaling::{Metric, PodAutoscaler};
use crds::config::Settings;
use crds::networking::ServerlessService;
use futures::stream::select_all;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};
use runtime::kube::lease::{Gain, Share};
use runtime::kube::watch::{Watchable, Watched};
use runtime::shutdown::Shutdown;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tracing::{Instrument, debug, info_span};

use crate::gauges::Gauges;
use crate::history::Histories;
use crate::id::RevisionId;
use crate::ledger::Ledger;
use crate::peers::Peers;
use crate::pods::{self, ObservedPod, Pods};
use crate::rules::{Class, Rules};
use crate::scaler::RevisionDeployment;
use tender::Tender;

/// What is watched.
#[derive(Clone, Debug)]
pub struct Watches {
    /// Every PodAutoscaler.
    pub autoscalers: Watched<PodAutoscaler>,
    /// Every ServerlessService.
    pub paths: Watched<ServerlessService>,
    /// Every Metric.
    pub metrics: Watched<Metric>,
    /// Deployments of revisions.
    pub deployments: Watched<RevisionDeployment>,
    /// Pods of revisions.
    pub pods: Watched<ObservedPod>,
}

/// What every tender works with.
#[derive(Clone, Debug)]
pub struct World {
    /// For writes. Reads come from the stores.
    pub client: ClientHandle,
    /// What is watched.
    pub watches: Watches,
    /// The cluster's settings.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Which revisions are ours to scale.
    pub share: Share,
    /// What activators report.
    pub ledger: Arc<Ledger>,
    /// Who else must know what pods say.
    pub peers: Arc<Peers>,
    /// Pods per revision.
    pub pods: Arc<Pods>,
    /// What was decided.
    pub histories: Arc<Histories>,
    /// What is shown.
    pub gauges: Gauges,
    /// Domain of the cluster's Services, `cluster.local`.
    pub cluster_domain: String,
}

/// A client that can be part of a `Debug` struct.
#[derive(Clone)]
pub struct ClientHandle(pub Client);

impl std::fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

/// Tends all revisions until shutdown.
///
/// # Errors
/// When a tender fails, which is a mistake of ours: the process must not go on without it.
pub async fn run(world: Arc<World>, shutdown: Shutdown) -> Result<(), JoinError> {
    tokio::select! {
        () = world.watches.wait_until_synced() => {}
        () = shutdown.wait() => return Ok(()),
    }
    let mut autoscalers = std::pin::pin!(world.watches.autoscalers.subscribe());
    let mut neighbours = std::pin::pin!(neighbours(&world));
    let mut gains = std::pin::pin!(world.share.gains());
    let mut fleet = Fleet {
        world: Arc::clone(&world),
        tended: HashMap::new(),
        set: JoinSet::new(),
    };
    for pod in world.watches.pods.store().state() {
        world.pods.keep(&pod);
    }
    loop {
        tokio::select! {
            Some(autoscaler) = autoscalers.next() => fleet.look(&autoscaler),
            Some(id) = neighbours.next() => world.ledger.wake(&id),
            Some(gain) = gains.next() => fleet.take_over(gain),
            Some(Err(ended)) = fleet.set.join_next() => {
                if !ended.is_cancelled() {
                    return Err(ended);
                }
            }
            () = shutdown.wait() => return Ok(()),
        }
    }
}

impl Watches {
    /// Returns once every store has been filled. Cancel-safe.
    pub async fn wait_until_synced(&self) {
        self.autoscalers.wait_until_synced().await;
        self.paths.wait_until_synced().await;
        self.metrics.wait_until_synced().await;
        self.deployments.wait_until_synced().await;
        self.pods.wait_until_synced().await;
    }
}

/// Revisions whose Services, Metric, Deployment or pods have changed.
fn neighbours(world: &Arc<World>) -> impl Stream<Item = RevisionId> + Send + use<> {
    let watches = &world.watches;
    let paths = watches.paths.subscribe().map(|path| RevisionId::of(&*path));
    let metrics = watches
        .metrics
        .subscribe()
        .map(|metric| RevisionId::of(&*metric));
    let deployments = watches
        .deployments
        .subscribe()
        .map(|found| pods::revision(&*found));
    let (store, index) = (watches.pods.store(), Arc::clone(&world.pods));
    let pods = watches.pods.subscribe().map(move |pod| {
        match store.get(&ObjectRef::from_obj(&*pod)) {
            // The store is never behind the change, but may be ahead of it.
            Some(now) => index.keep(&now),
            None => index.forget(&pod),
        }
    });
    let all = [
        paths.boxed(),
        metrics.boxed(),
        deployments.boxed(),
        pods.boxed(),
    ];
    select_all(all).filter_map(std::future::ready)
}

/// All revisions that are tended.
struct Fleet {
    world: Arc<World>,
    tended: HashMap<RevisionId, Tended>,
    set: JoinSet<()>,
}

struct Tended {
    uid: Option<String>,
    task: AbortHandle,
}

impl Fleet {
    /// Looks at a PodAutoscaler that was added, changed or deleted.
    fn look(&mut self, changed: &PodAutoscaler) {
        let Some(id) = RevisionId::of(changed) else {
            return;
        };
        let wanted = self.wanted(&id);
        let uid = wanted
            .as_ref()
            .map(|autoscaler| autoscaler.metadata.uid.clone());
        let tended = self.tended.get(&id).map(|tended| tended.uid.clone());
        match (wanted, tended) {
            (Some(_), Some(tended)) if uid.as_ref() == Some(&tended) => self.world.ledger.wake(&id),
            (Some(autoscaler), Some(_)) => {
                self.stop(&id);
                self.start(id, &autoscaler);
            }
            (Some(autoscaler), None) => self.start(id, &autoscaler),
            (None, Some(_)) => self.stop(&id),
            (None, None) => {}
        }
    }

    /// Has the revisions of a part that has become ours looked at, at once.
    fn take_over(&self, gain: Gain) {
        let ours = self.tended.keys();
        ours.filter(|id| gain.covers(&id.namespace, &id.name))
            .for_each(|id| self.world.ledger.wake(id));
    }

    /// The PodAutoscaler as it is now, if it is there to stay and of our class.
    fn wanted(&self, id: &RevisionId) -> Option<Arc<PodAutoscaler>> {
        let found = get(&self.world.watches.autoscalers.store(), id)?;
        let stays = found.metadata.deletion_timestamp.is_none();
        let class = Rules::class(&found, &self.world.settings.borrow());
        (stays && class == Class::Kpa).then_some(found)
    }

    fn start(&mut self, id: RevisionId, autoscaler: &PodAutoscaler) {
        let tender = Tender::new(
            Arc::clone(&self.world),
            id.clone(),
            autoscaler,
            Timestamp::now(),
        );
        let span = info_span!("revision", namespace = id.namespace, name = id.name);
        let task = self.set.spawn(tender.run().instrument(span));
        debug!(
            namespace = id.namespace,
            name = id.name,
            "tending a revision"
        );
        self.tended.insert(
            id,
            Tended {
                uid: autoscaler.metadata.uid.clone(),
                task,
            },
        );
    }

    fn stop(&mut self, id: &RevisionId) {
        if let Some(tended) = self.tended.remove(id) {
            tended.task.abort();
        }
        self.world.ledger.close(id);
        self.world.histories.forget(id);
        debug!(
            namespace = id.namespace,
            name = id.name,
            "a revision is no longer tended"
        );
    }
}

/// The object of that name.
fn get<K: Watchable>(store: &Store<K>, id: &RevisionId) -> Option<Arc<K>> {
    store.get(&ObjectRef::new(&id.name).within(&id.namespace))
}
