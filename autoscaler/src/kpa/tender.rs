//! The tender of one revision: decides every two seconds, and at once when load comes to a
//! revision at zero. Decisions never wait for a write; writes never wait for each other, except
//! that the status comes after the scale. While another replica holds the revision's lease, it
//! decides all the same, and writes nothing.

mod lane;
mod outcome;
mod scraping;
mod work;

use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::name::serving;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use runtime::kube::lease::Term;
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use crate::decide::TICK;
use crate::gate::{Passage, Probe};
use crate::gauges::{Labels, RevisionGauges};
use crate::id::RevisionId;
use crate::ledger::Account;
use crate::probe;
use crate::rules::Rules;
use crate::scaler::{RevisionDeployment, scale};
use crate::scrape;
use crate::sks::Path;

use super::pass::{Mind, Pass, Seen, pass};
use super::tend::{Errand, Grounds, Stored, Wanted, tend};
use super::{World, get};
use lane::{Lane, LaneState};
use scraping::Scraping;
use work::{Done, Next, within};

/// Pauses after a scale write that failed: requests are waiting.
const SCALE_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Pauses after another write that failed.
const TEND_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Pauses between probes of the public Service.
const PROBE_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(1));

pub(super) struct Tender {
    world: Arc<World>,
    id: RevisionId,
    account: Arc<Account>,
    /// What is shown while the revision is ours.
    gauges: Option<RevisionGauges>,
    rules: Rules,
    mind: Mind,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    scaling: Lane,
    tending: Lane,
    probing: Lane,
    /// Replicas that we wrote, until the watch shows a version other than the one before.
    written: Option<(Option<String>, u32)>,
    /// What was tended last.
    tended: Option<Box<Grounds>>,
    /// What waits for the scale write to end.
    waiting: Option<Box<Errand>>,
    verified: bool,
    scraping: Scraping,
}

/// Why a tender looks at its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Something has happened, maybe one of many things in a row.
    Event,
    /// It is time.
    Tick,
}

/// What a tender of a revision that is ours may do, and on what grounds.
struct Order<'a> {
    term: Term,
    occasion: Occasion,
    now: Timestamp,
    pass: &'a Pass,
    seen: &'a Seen<'a>,
    deployment: Option<&'a RevisionDeployment>,
}

impl Tender {
    pub(super) fn new(
        world: Arc<World>,
        id: RevisionId,
        autoscaler: &PodAutoscaler,
        now: Timestamp,
    ) -> Self {
        let rules = Rules::read(autoscaler, &world.settings.borrow());
        let account = world.ledger.open(&id, &rules, now);
        let ready = world.pods.counts(&id).ready;
        Self {
            mind: Mind::begin(autoscaler, &rules, ready, now),
            world,
            id,
            account,
            gauges: None,
            rules,
            work: FuturesUnordered::new(),
            scaling: Lane::new(SCALE_PAUSES),
            tending: Lane::new(TEND_PAUSES),
            probing: Lane::new(PROBE_PAUSES),
            written: None,
            tended: None,
            waiting: None,
            verified: false,
            scraping: Scraping::default(),
        }
    }

    /// Tends the revision until it is dropped.
    pub(super) async fn run(&mut self) {
        let [mut tick, mut round] = [TICK, scrape::PERIOD].map(interval);
        for timer in [&mut tick, &mut round] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let occasion = tokio::select! {
                biased;
                () = self.account.woken() => Occasion::Event,
                Some(done) = self.work.next() => match self.note(done) {
                    Next::Decide => Occasion::Event,
                    Next::Wait => continue,
                },
                _ = round.tick(), if self.asks_pods() => {
                    self.ask_pods(Timestamp::now());
                    continue;
                }
                _ = tick.tick() => Occasion::Tick,
            };
            self.step(occasion, Timestamp::now());
        }
    }

    /// Decides, and starts the work that follows if the revision is ours.
    fn step(&mut self, occasion: Occasion, now: Timestamp) {
        let Some(stored) = self.stored() else { return };
        let autoscaler = Arc::clone(&stored.autoscaler);
        self.follow_rules(&autoscaler);
        let rules = self.rules.clone();
        let path = Path::of(stored.path.as_deref(), &autoscaler);
        let deployment = self.deployment(&autoscaler);
        let pods = self.world.pods.counts(&self.id);
        let term = self.term(&autoscaler, pods.ready, now);
        // Before the load is read: load that comes afterwards must wake us.
        self.account.doze(true);
        let source = self.source(now);
        let seen = Seen {
            autoscaler: &autoscaler,
            rules: &rules,
            pods,
            load: self.account.load(&rules, source, pods.ready, now),
            replicas: deployment
                .as_deref()
                .map(|deployment| self.replicas(deployment)),
            path: &path,
            probe: if std::mem::take(&mut self.verified) {
                Probe::Verified
            } else {
                Probe::Unverified
            },
        };
        let (pass, mind) = pass(&seen, self.mind.clone(), now);
        self.mind = mind;
        let idle = pass
            .decision
            .by_load
            .map_or(pods.ready == 0, |pods| pods == 0);
        self.account.doze(idle);
        self.choose_source(&pass, pods.ready, now);
        let account = pass.account(&seen, term.is_some());
        self.world.histories.add(&self.id, account, now);
        if let Some(term) = term {
            let order = Order {
                term,
                occasion,
                now,
                pass: &pass,
                seen: &seen,
                deployment: deployment.as_deref(),
            };
            self.act(&order, stored);
        }
    }

    /// Starts the work that follows from a decision.
    fn act(&mut self, order: &Order<'_>, stored: Stored) {
        self.scale(order);
        self.probe(order);
        let (pass, seen) = (order.pass, order.seen);
        let status = stored.worth_telling(&pass.status, order.occasion, order.now);
        let grounds = Grounds::of(seen, pass, (self.scraping.verdict(), status), &stored);
        if self.tended.as_deref() != Some(&grounds) {
            let wanted = Wanted::of(seen, pass);
            let errand = Errand {
                grounds,
                wanted,
                stored,
            };
            self.tend(&order.term, Box::new(errand));
        }
        if let Some(gauges) = &self.gauges {
            gauges.show(
                seen.rules,
                seen.pods,
                seen.load,
                &pass.decision,
                pass.wanted,
            );
        }
    }

    /// What is stored now; nothing once the PodAutoscaler has gone.
    fn stored(&self) -> Option<Stored> {
        let watches = &self.world.watches;
        Some(Stored {
            autoscaler: get(&watches.autoscalers.store(), &self.id)?,
            path: get(&watches.paths.store(), &self.id),
            metric: get(&watches.metrics.store(), &self.id),
        })
    }

    /// The right to act, if the revision is ours. Looking on => ours: what we did when it was ours
    /// before may have been undone, and is forgotten.
    fn term(&mut self, autoscaler: &PodAutoscaler, ready: u32, now: Timestamp) -> Option<Term> {
        let term = self.world.share.term(&self.id.namespace, &self.id.name);
        match (&term, &self.gauges) {
            (Some(_), None) => {
                info!("the revision is ours to scale");
                let labels = labels(autoscaler, &self.id);
                self.gauges = Some(self.world.gauges.revision(labels));
                self.mind = self.mind.clone().take_over(autoscaler, ready, now);
                // Nobody has scaled for a while: the next report must not wait for a tick.
                self.account.await_report();
                (self.written, self.tended, self.waiting) = (None, None, None);
            }
            (None, _) => {
                self.gauges = None;
                self.mind = self.mind.clone().look_on(autoscaler);
            }
            (Some(_), Some(_)) => {}
        }
        term
    }

    fn follow_rules(&mut self, autoscaler: &PodAutoscaler) {
        let rules = Rules::read(autoscaler, &self.world.settings.borrow());
        if rules == self.rules {
            return;
        }
        self.account.resize(&rules);
        self.rules = rules;
    }

    fn deployment(&self, autoscaler: &PodAutoscaler) -> Option<Arc<RevisionDeployment>> {
        let name = autoscaler.spec.scale_target_ref.name.as_deref()?;
        let reference = ObjectRef::new(name).within(&self.id.namespace);
        self.world.watches.deployments.store().get(&reference)
    }

    /// Replicas of `deployment`: what we wrote, until the watch has seen it.
    fn replicas(&self, deployment: &RevisionDeployment) -> u32 {
        match &self.written {
            Some((version, replicas)) if *version == deployment.metadata.resource_version => {
                *replicas
            }
            Some(_) | None => deployment.replicas(),
        }
    }

    fn scale(&mut self, order: &Order<'_>) {
        let (pass, seen) = (order.pass, order.seen);
        let (Some(replicas), Some(deployment)) = (pass.replicas, order.deployment) else {
            return;
        };
        if !self.scaling.take() {
            return;
        }
        info!(
            from = seen.replicas,
            to = replicas,
            rule = ?pass.decision.rule,
            ready = seen.pods.ready,
            stable = seen.load.map(|load| load.stable),
            "Scaling"
        );
        let (client, term) = (self.world.client.0.clone(), order.term.clone());
        let namespace = self.id.namespace.clone();
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let version = deployment.metadata.resource_version.clone();
        self.work.push(Box::pin(async move {
            let write = scale(&client, &namespace, &name, replicas);
            Done::Scaled {
                version,
                replicas,
                result: within(term, write).await,
            }
        }));
    }

    fn probe(&mut self, order: &Order<'_>) {
        if order.pass.passage != Some(Passage::Unverified) || !self.probing.take() {
            return;
        }
        let seen = order.seen;
        let (public, _) = seen.path.services();
        let authority = probe::authority(seen.autoscaler, public, &self.world.cluster_domain);
        self.work.push(Box::pin(async move {
            Done::Probed(probe::verify(&authority).await)
        }));
    }

    /// Brings what is stored to what is wanted, after the scale write if one is under way.
    fn tend(&mut self, term: &Term, errand: Box<Errand>) {
        if self.scaling.state == LaneState::Busy {
            // What the pass that scaled found out is told first, so that no verdict is lost.
            self.waiting.get_or_insert(errand);
            return;
        }
        if !self.tending.take() {
            return;
        }
        let (client, term) = (self.world.client.0.clone(), term.clone());
        let writers = Arc::clone(&self.world.writers);
        self.work.push(Box::pin(async move {
            // Fails only if somebody closed it, and nobody does.
            let _place = writers.acquire().await;
            // Boxed, so that those who wait for a place are small.
            let write = Box::pin(within(term, tend(&client, &errand)));
            let result = write.await;
            Done::Tended {
                grounds: Box::new(errand.grounds),
                result,
            }
        }));
    }
}

fn labels(autoscaler: &PodAutoscaler, id: &RevisionId) -> Labels {
    let of = autoscaler.metadata.labels.as_ref();
    let label = |name| {
        of.and_then(|all| all.get(name))
            .cloned()
            .unwrap_or_default()
    };
    [
        label(serving::SERVICE),
        label(serving::CONFIGURATION),
        id.name.clone(),
        id.namespace.clone(),
    ]
}
