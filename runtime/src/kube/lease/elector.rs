//! The one task of an election: it sees leases and pods change, asks [`step`] what to do with each
//! lease, and does it. Requests run beside each other; a lease has at most one at a time.

mod chair;
mod job;
mod sight;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crds::config::Settings;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher;
use kube::{Api, Client};
use rand::RngExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use self::chair::{Chair, Set};
use self::job::{Done, Job};
use super::Sharing;
use super::identity::Identity;
use super::peers::Peers;
use super::record::Change;
use super::seat::{Action, Life, Loss, Place, Rules, View, Wish, step};
use super::share::Share;
use super::write::{Answer, Writer};
use crate::kube::watch::{self as objects, Watched};
use crate::shutdown::Shutdown;
use crate::tasks::Tasks;

/// Requests at the same time. A handover of a hundred leases is no reason to flood the API server.
const REQUESTS: usize = 16;
/// How long work that has begun may go on when its part is given away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause between leases of an old cut and those of the new, when no other replica can be late to hear
/// of it.
const ALONE: Duration = Duration::from_millis(100);

/// A candidacy for leases: [`enter`](Self::enter) each set, then [`start`](Self::start).
#[derive(Debug)]
pub struct Election {
    identity: Identity,
    sharing: Sharing,
    sets: Vec<Set>,
}

// === impl Election ===

impl Election {
    /// A candidacy as `identity`.
    pub fn new(identity: Identity, sharing: Sharing) -> Self {
        Self {
            identity,
            sharing,
            sets: Vec::new(),
        }
    }

    /// Competes for a set whose leases are called `<stem><NN>-of-<MM>`; config-leader-election may
    /// give it another stem (`map-lease-prefix`). Nothing of it is ours before [`Self::start`].
    pub fn enter(&mut self, stem: &str) -> Share {
        let (set, share) = Set::new(stem);
        self.sets.push(set);
        share
    }

    /// Competes until shutdown, with the times and the number of parts that `settings` say at any
    /// time; then gives everything back. Leases and pods are those of `namespace`.
    pub fn start(
        self,
        tasks: &Tasks,
        client: &Client,
        namespace: &str,
        settings: watch::Receiver<Arc<Settings>>,
    ) {
        let leases: Watched<Lease> = objects::start(
            tasks,
            Api::namespaced(client.clone(), namespace),
            watcher::Config::default(),
        );
        let pods: Watched<Pod> = objects::start(
            tasks,
            Api::namespaced(client.clone(), namespace),
            watcher::Config::default(),
        );
        let elector = Elector {
            writer: Writer {
                leases: Api::namespaced(client.clone(), namespace),
                pods: Api::namespaced(client.clone(), namespace),
                me: self.identity.as_str().to_owned(),
                permits: Arc::new(Semaphore::new(REQUESTS)),
            },
            namespace: namespace.to_owned(),
            rules: Rules::from(&settings.borrow().leader_election),
            identity: self.identity,
            sharing: self.sharing,
            sets: self.sets,
            chairs: BTreeMap::new(),
            peers: Peers::default(),
            asking: BTreeSet::new(),
            jobs: FuturesUnordered::new(),
            terms: 0,
            leaving: false,
        };
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("leases", async move {
            elector.run(leases, pods, settings, shutdown).await;
            Ok::<(), Infallible>(())
        });
    }
}

struct Elector {
    writer: Writer,
    namespace: String,
    identity: Identity,
    sharing: Sharing,
    rules: Rules,
    sets: Vec<Set>,
    /// By the name of the lease.
    chairs: BTreeMap<String, Chair>,
    peers: Peers,
    /// Pods that the API server is being asked for.
    asking: BTreeSet<String>,
    jobs: FuturesUnordered<Job>,
    /// Terms so far.
    terms: u64,
    /// Whether the process was asked to stop.
    leaving: bool,
}

impl Elector {
    async fn run(
        mut self,
        leases: Watched<Lease>,
        pods: Watched<Pod>,
        mut settings: watch::Receiver<Arc<Settings>>,
        shutdown: Shutdown,
    ) {
        tokio::select! {
            () = leases.wait_until_synced() => {}
            () = shutdown.wait() => return,
        }
        let mut changes = std::pin::pin!(leases.subscribe());
        let mut pod_changes = pods.changes();
        pod_changes.mark_changed();
        let mut pods_known = false;
        self.arrange(&settings.borrow_and_update().clone(), &leases);
        while !(self.leaving && self.is_done()) {
            let wake = self.advance(Instant::now());
            tokio::select! {
                Some(done) = self.jobs.next(), if !self.jobs.is_empty() => self.take(done),
                Some(lease) = changes.next() => self.saw(&leases, &lease),
                () = pods.wait_until_synced(), if !pods_known => pods_known = true,
                Ok(()) = pod_changes.changed(), if pods_known => self.look_at(&pods),
                Ok(()) = settings.changed() => {
                    self.arrange(&settings.borrow_and_update().clone(), &leases);
                }
                () = sleep_until(wake.unwrap_or(Instant::now() + self.rules.retry_period)) => {}
                () = shutdown.wait(), if !self.leaving => self.leaving = true,
            }
        }
    }

    /// Whether nothing is left that is ours.
    fn is_done(&self) -> bool {
        self.jobs.is_empty() && !self.chairs.values().any(|chair| chair.seat.is_held())
    }

    /// Does what is due. Returns when something will be due that nobody will tell us.
    fn advance(&mut self, now: Instant) -> Option<Instant> {
        self.chairs.retain(|_, chair| !chair.is_empty_and_old());
        let mut due = Vec::new();
        let mut wake = None;
        self.look_for_crowds(now);
        for (name, chair) in &self.chairs {
            let view = self.view(name, chair, now);
            match step(&chair.seat, &view, now) {
                Action::Rest(until) => wake = wake.into_iter().chain(until).min(),
                lose @ Action::Lose(_) => due.push((name.clone(), lose)),
                // One at a time for each lease; and those who leave for good take nothing new.
                _ if chair.busy || (self.leaving && !chair.seat.is_held()) => {}
                action => due.push((name.clone(), action)),
            }
        }
        for (name, action) in due {
            if let Action::Lose(loss) = action {
                self.lose(&name, loss);
                wake = Some(now);
            } else {
                self.begin(&name, action, now);
            }
        }
        wake
    }

    /// Sees which sets have leases of another cut that someone holds, or has held a short time ago:
    /// a replica that does not know of the new cut yet may claim them again.
    fn look_for_crowds(&mut self, now: Instant) {
        let alone = self.peers.are_absent(&self.identity);
        let pause = if alone {
            ALONE
        } else {
            2 * self.rules.retry_period
        };
        let old = self.chairs.values().filter(|chair| chair.old);
        for chair in old.filter(|chair| chair.seat.holder().is_some()) {
            self.sets[chair.set].crowded_until = Some(now + pause);
        }
    }

    fn view(&self, name: &str, chair: &Chair, now: Instant) -> View<'_> {
        let wish = if chair.old || self.leaving {
            Wish::Vacant
        } else {
            Wish::Held(self.sets[chair.set].crowded_until)
        };
        let (me, rules) = (&self.identity, self.rules);
        let holder = chair.seat.holder().filter(|holder| *holder != me.as_str());
        let life = holder.map_or(Life::Alive, |holder| {
            let times = (rules.retry_period, now);
            self.peers.life(me, holder, chair.seat.since(), times)
        });
        let place = match self.peers.place(me, name, (rules.lease_duration, now)) {
            Place::Settled if self.sharing == Sharing::Sticky => Place::Elsewhere,
            place => place,
        };
        View {
            me,
            rules,
            wish,
            holder: life,
            place,
        }
    }

    fn begin(&mut self, name: &str, action: Action, now: Instant) {
        let Some(chair) = self.chairs.get_mut(name) else {
            return;
        };
        debug!(lease = name, ?action, "lease");
        let change = match action {
            Action::Claim => Change::Claim,
            Action::Renew => Change::Renew,
            Action::Leave | Action::Vacate => Change::Vacate,
            Action::AskFor(pod) => {
                if self.asking.insert(pod.clone()) {
                    let asked = job::ask(self.writer.clone(), pod, self.rules.retry_period);
                    self.jobs.push(asked);
                }
                return;
            }
            Action::Rest(_) | Action::Lose(_) => return,
        };
        chair.busy = true;
        let mut quiet = futures::future::ready(()).boxed();
        if let (Change::Vacate, Some(until)) = (change, chair.seat.held_until()) {
            chair.ending = chair.tenure.take();
            self.sets[chair.set].show(chair);
            if let Some(ending) = &chair.ending {
                quiet = ending.end_when_quiet(PATIENCE.min(until - now)).boxed();
            }
        }
        let request = job::Request {
            name: name.to_owned(),
            seen: chair.seat.record().cloned(),
            change,
            times: (self.rules.lease_duration, self.rules.retry_period),
        };
        self.jobs
            .push(job::write(self.writer.clone(), request, quiet));
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Asked { pod, alive, asked } => {
                debug!(pod, alive, "asked for the pod of a holder");
                self.asking.remove(&pod);
                self.peers.answered(pod, alive, asked);
            }
            Done::Wrote {
                name,
                change,
                sent,
                answer,
            } => self.wrote(&name, change, sent, answer),
        }
    }

    fn wrote(&mut self, name: &str, change: Change, sent: Instant, answer: Answer) {
        let early = rand::rng().random_range(0.0..1.0);
        let Some(mut chair) = self.chairs.remove(name) else {
            return;
        };
        chair.busy = false;
        if change == Change::Vacate {
            chair.release();
        }
        match (answer, change) {
            (Answer::Written(record), Change::Claim | Change::Renew) => {
                let view = self.view(name, &chair, Instant::now());
                chair.seat.won(record, sent, early, &view);
                chair.hold(name, &mut self.terms);
            }
            (Answer::Written(record), Change::Vacate) => {
                tracing::info!(lease = name, "gave a lease back");
                chair.seat.saw(Some(record), Instant::now());
            }
            (Answer::Seen(record), _) => chair.seat.saw(record, Instant::now()),
            (Answer::Failed(error), _) => {
                let error: &dyn std::error::Error = &error;
                debug!(lease = name, ?change, error, "lease was not written");
                chair.seat.failed(sent, early, self.rules);
            }
        }
        self.sets[chair.set].show(&chair);
        self.chairs.insert(name.to_owned(), chair);
    }

    fn lose(&mut self, name: &str, loss: Loss) {
        if let Some(chair) = self.chairs.get_mut(name) {
            let holder = chair.seat.holder().unwrap_or_default();
            tracing::warn!(
                lease = name,
                ?loss,
                holder,
                "lost a lease, stopped its work"
            );
            chair.release();
            self.sets[chair.set].show(chair);
        }
    }
}
