//! The other replicas. What an activator tells one of us, all of us must know: an activator is
//! connected to whichever replica its Service led it to, and whoever takes over a revision must know
//! its load of the last hour.
//!
//! So each replica passes on what activators tell it to every other one, in the same messages,
//! stamped with the second of their receipt (contract/data-plane 1.9, 1.10); a report with a stamp is
//! never passed on again. An empty message each second says that an activator is connected here.
//!
//! Deliberately absent: upstream's Services named after buckets. There, a report finds its one owner
//! through them; here all replicas get every report, and nobody has to be found.

mod link;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use kube::ResourceExt;
use net::contract::port;
use net::stat::{Stat, WireStatMessage, WireStatMessages};
use parking_lot::Mutex;
use prometheus::{IntCounter, Registry};
use prost::Message as _;
use runtime::kube::watch::Watched;
use runtime::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::id::RevisionId;
use crate::ledger::{Ledger, Sample};
use crate::pods::{ObservedPod, Stage};
use link::Link;

/// Path of the server of statistics that other replicas connect to.
pub(crate) const PATH: &str = "/peer";
/// Frames that may wait for one replica: each activator sends one a second, and one for each group
/// of revisions that wake.
const WAITING_FRAMES: usize = 64;

/// All other replicas.
#[derive(Debug)]
pub struct Peers {
    links: Mutex<BTreeMap<SocketAddr, mpsc::Sender<Bytes>>>,
    dropped: IntCounter,
}

/// Who we are among the replicas.
#[derive(Clone, Debug)]
pub struct Own {
    /// Name of our pod.
    pub pod: String,
    /// Address of our pod.
    pub address: IpAddr,
}

// === impl Peers ===

impl Peers {
    /// No replica but us, yet.
    ///
    /// # Errors
    /// When the name of the counter is taken in `registry`.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let dropped = IntCounter::new(
            "fermata_autoscaler_peer_frames_dropped_total",
            "Reports that could not be passed on to another replica",
        )?;
        registry.register(Box::new(dropped.clone()))?;
        Ok(Self {
            links: Mutex::default(),
            dropped,
        })
    }

    /// Whether there is nobody to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.lock().is_empty()
    }

    /// Passes `frame` on to everybody. Who is too slow for it does not get it.
    pub(crate) fn tell(&self, frame: &Bytes) {
        for link in self.links.lock().values() {
            if link.try_send(frame.clone()).is_err() {
                self.dropped.inc();
            }
        }
    }

    /// Tells everybody what the pods of a revision said when we asked them.
    pub(crate) fn tell_answer(&self, id: &RevisionId, sample: Sample, at: Timestamp) {
        if self.is_empty() {
            return;
        }
        let stat = Stat {
            average_concurrent_requests: sample.concurrency,
            request_count: sample.requests,
            timestamp: at.as_second(),
            ..Stat::default()
        };
        let messages = vec![WireStatMessage {
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            stat: Some(stat),
        }];
        let frame = WireStatMessages { messages }.encode_to_vec();
        self.tell(&Bytes::from(frame));
    }

    /// Keeps a link to each of `addresses` and to nobody else. Returns the new ones.
    fn keep(&self, addresses: &[SocketAddr], ledger: &Arc<Ledger>) -> Vec<Link> {
        let mut links = self.links.lock();
        links.retain(|address, link| addresses.contains(address) && !link.is_closed());
        let mut new = Vec::new();
        for address in addresses {
            links.entry(*address).or_insert_with(|| {
                let (sender, frames) = mpsc::channel(WAITING_FRAMES);
                new.push(Link::new(*address, frames, Arc::clone(ledger)));
                sender
            });
        }
        new
    }
}

/// Follows the pods of our Deployment until shutdown.
///
/// # Errors
/// When a link fails, which is a mistake of ours.
pub async fn run(
    peers: Arc<Peers>,
    pods: Watched<ObservedPod>,
    own: Own,
    ledger: Arc<Ledger>,
    shutdown: Shutdown,
) -> Result<(), JoinError> {
    let mut changes = pods.changes();
    changes.mark_changed();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Ok(()) = changes.changed() => {
                let found = pods.store().state();
                let addresses = addresses(found.iter().map(|pod| &**pod), &own);
                for link in peers.keep(&addresses, &ledger) {
                    running.spawn(link.run());
                }
            }
            Some(ended) = running.join_next() => ended?,
            () = shutdown.wait() => return Ok(()),
        }
    }
}

/// Where the other replicas listen. One that is about to go still listens, and may still decide.
fn addresses<'a>(pods: impl Iterator<Item = &'a ObservedPod>, own: &Own) -> Vec<SocketAddr> {
    let others = pods.filter(|pod| pod.name_any() != own.pod && pod.stage() != Stage::Ended);
    let addresses = others.filter_map(ObservedPod::address);
    let mut addresses: Vec<_> = addresses
        .filter(|address| *address != own.address)
        .map(|address| SocketAddr::new(address, port::STATS))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The address in the `holderIdentity` of a replica, `<pod>_<address>`.
pub(crate) fn address_in(holder: &str) -> Option<IpAddr> {
    let (_, address) = holder.split_once('_')?;
    address.parse().ok()
}

#[cfg(test)]
mod tests;
