//! The tender of one revision: decides every two seconds, and at once when load comes to a
//! revision at zero. Decisions never wait for a write; writes never wait for each other, except
//! that the status comes after the scale.

use std::sync::Arc;
use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::name::serving;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use runtime::kube::apply::ApplyError;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use crate::backoff::Backoff;
use crate::decide::TICK;
use crate::gate::{Passage, Probe};
use crate::gauges::{Labels, RevisionGauges};
use crate::id::RevisionId;
use crate::ledger::Account;
use crate::probe::{self, ProbeError};
use crate::rules::Rules;
use crate::scaler::{RevisionDeployment, scale};
use crate::sks::Path;

use super::pass::{Mind, Pass, Seen, pass};
use super::tend::{Stored, Versions, Wanted, tend};
use super::{World, get};

/// Pauses after a scale write that failed: requests are waiting.
const SCALE_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Pauses after another write that failed.
const TEND_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Pauses between probes of the public Service.
const PROBE_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(1));
/// Probes that fail in a row before a person should hear of it.
const PROBES_BEFORE_WARNING: u32 = 45;

pub(super) struct Tender {
    world: Arc<World>,
    id: RevisionId,
    account: Arc<Account>,
    gauges: RevisionGauges,
    rules: Rules,
    mind: Mind,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    scaling: Lane,
    tending: Lane,
    probing: Lane,
    /// Replicas that we wrote, until the watch shows a version other than the one before.
    written: Option<(Option<String>, u32)>,
    /// What was tended last.
    tended: Option<(Wanted, Versions)>,
    /// What waits for the scale write to end.
    waiting: Option<(Wanted, Stored)>,
    verified: bool,
}

/// One kind of work, of which at most one is under way.
#[derive(Debug)]
struct Lane {
    state: LaneState,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LaneState {
    Free,
    Busy,
    Resting,
}

/// Work that has ended.
enum Done {
    Scaled {
        version: Option<String>,
        replicas: u32,
        result: Result<(), ApplyError>,
    },
    Tended {
        what: Box<(Wanted, Versions)>,
        result: Result<(), ApplyError>,
    },
    Probed(Result<(), ProbeError>),
    Rested(fn(&mut Tender) -> &mut Lane),
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
        let gauges = world.gauges.revision(labels(autoscaler, &id), rules.metric);
        Self {
            mind: Mind::begin(autoscaler, &rules, ready, now),
            world,
            id,
            account,
            gauges,
            rules,
            work: FuturesUnordered::new(),
            scaling: Lane::new(SCALE_PAUSES),
            tending: Lane::new(TEND_PAUSES),
            probing: Lane::new(PROBE_PAUSES),
            written: None,
            tended: None,
            waiting: None,
            verified: false,
        }
    }

    /// Tends the revision until it is dropped.
    pub(super) async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.account.woken() => {}
                Some(done) = self.work.next() => self.note(done),
                _ = tick.tick() => {}
            }
            self.step(Timestamp::now());
        }
    }

    /// Decides, and starts the work that follows.
    fn step(&mut self, now: Timestamp) {
        let watches = &self.world.watches;
        let Some(autoscaler) = get(&watches.autoscalers.store(), &self.id) else {
            return;
        };
        let stored = Stored {
            path: get(&watches.paths.store(), &self.id),
            metric: get(&watches.metrics.store(), &self.id),
            autoscaler,
        };
        let autoscaler = Arc::clone(&stored.autoscaler);
        self.follow_rules(&autoscaler);
        let rules = self.rules.clone();
        let path = Path::of(stored.path.as_deref(), &autoscaler);
        let deployment = self.deployment(&autoscaler);
        let pods = self.world.pods.counts(&self.id);
        // Before the load is read: load that comes afterwards must wake us.
        self.account.doze(true);
        let load = self
            .account
            .load(&rules, self.world.ledger.source(), pods.ready, now);
        let seen = Seen {
            autoscaler: &autoscaler,
            rules: &rules,
            pods,
            load,
            replicas: deployment
                .as_deref()
                .map(|deployment| self.replicas(deployment)),
            path: &path,
            probe: if self.verified {
                Probe::Verified
            } else {
                Probe::Unverified
            },
        };
        self.verified = false;
        let (pass, mind) = pass(&seen, self.mind.clone(), now);
        self.mind = mind;
        let idle = pass
            .decision
            .by_load
            .map_or(pods.ready == 0, |pods| pods == 0);
        self.account.doze(idle);
        self.scale(&pass, &seen, deployment.as_deref());
        self.probe(&pass, &seen);
        self.tend(Wanted::of(&seen, &pass), stored);
        self.gauges
            .show(&rules, pods, load, &pass.decision, pass.wanted);
        self.world.histories.add(&self.id, pass.account(&seen), now);
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

    fn scale(&mut self, pass: &Pass, seen: &Seen<'_>, deployment: Option<&RevisionDeployment>) {
        let (Some(replicas), Some(deployment)) = (pass.replicas, deployment) else {
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
        let client = self.world.client.0.clone();
        let namespace = self.id.namespace.clone();
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let version = deployment.metadata.resource_version.clone();
        self.work.push(Box::pin(async move {
            let result = scale(&client, &namespace, &name, replicas).await;
            Done::Scaled {
                version,
                replicas,
                result,
            }
        }));
    }

    fn probe(&mut self, pass: &Pass, seen: &Seen<'_>) {
        if pass.passage != Some(Passage::Unverified) || !self.probing.take() {
            return;
        }
        let (public, _) = seen.path.services();
        let authority = probe::authority(seen.autoscaler, public, &self.world.cluster_domain);
        self.work.push(Box::pin(async move {
            Done::Probed(probe::verify(&authority).await)
        }));
    }

    /// Brings what is stored to what is wanted, after the scale write if one is under way.
    fn tend(&mut self, wanted: Wanted, stored: Stored) {
        let versions = stored.versions();
        let same = |(what, at): &(Wanted, Versions)| *what == wanted && *at == versions;
        if self.tended.as_ref().is_some_and(same) {
            return;
        }
        if self.scaling.state == LaneState::Busy {
            // What the pass that scaled found out is told first, so that no verdict is lost.
            self.waiting.get_or_insert((wanted, stored));
            return;
        }
        if !self.tending.take() {
            return;
        }
        let client = self.world.client.0.clone();
        self.work.push(Box::pin(async move {
            let result = tend(&client, &wanted, &stored).await;
            Done::Tended {
                what: Box::new((wanted, versions)),
                result,
            }
        }));
    }

    fn note(&mut self, done: Done) {
        match done {
            Done::Scaled {
                version,
                replicas,
                result,
            } => {
                if result.is_ok() {
                    self.written = Some((version, replicas));
                }
                self.note_result("scale", result, |tender| &mut tender.scaling);
                if let Some((wanted, stored)) = self.waiting.take() {
                    self.tend(wanted, stored);
                }
            }
            Done::Tended { what, result } => {
                if result.is_ok() {
                    self.tended = Some(*what);
                }
                self.note_result("tend", result, |tender| &mut tender.tending);
            }
            Done::Probed(result) => {
                self.verified = result.is_ok();
                if self.probing.backoff.failures() == PROBES_BEFORE_WARNING {
                    warn!("no activator answers at the public Service: pods stay");
                }
                self.note_result("probe", result, |tender| &mut tender.probing);
            }
            Done::Rested(lane) => lane(self).state = LaneState::Free,
        }
    }

    /// Frees the lane after a success; after a failure, lets it rest first.
    fn note_result<E: std::error::Error>(
        &mut self,
        what: &'static str,
        result: Result<(), E>,
        lane: fn(&mut Self) -> &mut Lane,
    ) {
        match result {
            Ok(()) => lane(self).succeed(),
            Err(error) => {
                let cause = error.source().map(ToString::to_string);
                debug!(what, %error, cause, "failed; trying again");
                let pause = lane(self).fail();
                self.work.push(Box::pin(async move {
                    sleep(pause).await;
                    Done::Rested(lane)
                }));
            }
        }
    }
}

impl Lane {
    fn new((first, longest): (Duration, Duration)) -> Self {
        Self {
            state: LaneState::Free,
            backoff: Backoff::new(first, longest),
        }
    }

    /// Free => Busy. Whether it was free.
    fn take(&mut self) -> bool {
        let free = self.state == LaneState::Free;
        if free {
            self.state = LaneState::Busy;
        }
        free
    }

    /// Busy => Free.
    fn succeed(&mut self) {
        self.state = LaneState::Free;
        self.backoff.reset();
    }

    /// Busy => Resting. Answers with the length of the rest.
    fn fail(&mut self) -> Duration {
        self.state = LaneState::Resting;
        self.backoff.pause(rand::random())
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
