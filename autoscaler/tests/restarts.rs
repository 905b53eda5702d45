//! A thousand starts from zero at random moments, with the activator's own throttle, counter and reports,
//! and an autoscaler that is sometimes restarted or relieved meanwhile: no request waits longer than a pod
//! takes to start, and the last pod goes in time.

#[path = "restarts/front_door.rs"]
mod front_door;

use std::sync::Arc;
use std::time::Duration;

use autoscaler::gate::{Passage, Probe};
use autoscaler::id::RevisionId;
use autoscaler::kpa::pass::{Mind, Pass, Seen, pass};
use autoscaler::ledger::{Account, Ledger, Sample, Stream};
use autoscaler::pods::PodCounts;
use autoscaler::rules::Rules;
use autoscaler::sks::Path;
use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use front_door::FrontDoor;
use futures::FutureExt;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::advance;

/// All times are milliseconds.
const STEP: i64 = 10;
/// Steps while nobody asks.
const STRIDE: i64 = 50;
const TICK: i64 = 2000;
/// Shortest and longest start of a pod.
const START: (i64, i64) = (300, 3000);
/// Longest time from an order to its effect: the write, and what a step rounds up.
const ORDER: i64 = 100;
/// Longest time that an autoscaler is away.
const AWAY: i64 = 3000;
const WINDOW: i64 = 6000;
const GRACE: i64 = 30_000;
const STARTS: usize = 1000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000_000 + millis).expect("a moment of our time")
}

fn millis(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or_default())
}

fn id() -> RevisionId {
    RevisionId::new("ns", "hello")
}

/// What happens to the autoscaler while a revision starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// It is restarted: nothing is left of its memory.
    Restart,
    /// Another replica, which has looked on, takes over.
    Relief,
}

/// The autoscaler, as far as one revision is concerned.
struct Autoscaler {
    rules: Rules,
    ledger: Arc<Ledger>,
    account: Arc<Account>,
    mind: Mind,
    probe: Probe,
    /// The activator's stream, while it is connected.
    stream: Option<Stream>,
    /// Away until then, because of a fault.
    away: Option<(i64, Fault)>,
    tick: i64,
    /// What it has been told or has seen is a reason to decide again.
    again: bool,
}

/// The cluster with one revision.
struct Cluster {
    now: i64,
    chance: StdRng,
    order: PodAutoscaler,
    path: Path,
    autoscaler: Autoscaler,
    front_door: FrontDoor,
    /// When each pod is ready.
    pods: Vec<i64>,
    /// A scale write that is under way: when it arrives, and what it says.
    write: Option<(i64, usize)>,
    /// When the last pod was told to go.
    gone: Option<i64>,
}

impl Autoscaler {
    fn begin(order: &PodAutoscaler, ready: u32, now: i64) -> Self {
        let rules = Rules::read(order, &Settings::default());
        let ledger = Arc::<Ledger>::default();
        let account = ledger.open(&id(), &rules, at(now));
        Self {
            mind: Mind::begin(order, &rules, ready, at(now)),
            rules,
            ledger,
            account,
            probe: Probe::Unverified,
            stream: None,
            away: None,
            tick: now,
            again: true,
        }
    }

    fn record(&self, sample: Sample, now: i64) {
        if self.stream.is_some() {
            self.ledger.record(id(), sample, at(now));
        }
    }

    /// Whether there is a reason to decide now.
    fn is_due(&mut self, now: i64) -> bool {
        let poked = self.account.woken().now_or_never().is_some();
        let ticked = now >= self.tick;
        if ticked {
            self.tick = now + TICK;
        }
        std::mem::take(&mut self.again) || poked || ticked
    }
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let mut order = PodAutoscaler::default();
        let window = ("autoscaling.knative.dev/window".to_owned(), "6s".to_owned());
        order.metadata.annotations = Some([window].into());
        let path = Path::Built {
            public: "hello".to_owned(),
            private: "hello-private".to_owned(),
            ready: true,
            message: String::new(),
            proxied_since: Some(at(-GRACE)),
        };
        Self {
            now: 0,
            chance: StdRng::seed_from_u64(seed),
            autoscaler: Autoscaler::begin(&order, 0, 0),
            order,
            path,
            front_door: FrontDoor::open("ns", "hello"),
            pods: vec![0],
            write: None,
            gone: None,
        }
    }

    fn ready(&self) -> usize {
        self.pods.iter().filter(|ready| **ready <= self.now).count()
    }

    async fn step(&mut self, length: i64) {
        self.now += length;
        advance(millis(length)).await;
        self.recover();
        self.arrive();
        self.front_door.lead_to(self.ready());
        // The requests that this lets go, and the reports that are due.
        tokio::task::yield_now().await;
        for sample in self.front_door.told() {
            self.autoscaler.record(sample, self.now);
        }
        let awake = !matches!(self.autoscaler.away, Some((_, Fault::Restart)));
        if awake && self.autoscaler.is_due(self.now) {
            let pass = self.pass();
            if self.autoscaler.away.is_none() {
                self.act(pass);
            }
        }
    }

    fn pass(&mut self) -> Pass {
        let (ready, now) = (self.ready() as u32, at(self.now));
        let autoscaler = &mut self.autoscaler;
        autoscaler.account.doze(true);
        let source = autoscaler.ledger.source(now);
        let seen = Seen {
            autoscaler: &self.order,
            rules: &autoscaler.rules,
            pods: PodCounts {
                ready,
                ..PodCounts::default()
            },
            load: autoscaler
                .account
                .load(&autoscaler.rules, source, ready, now),
            replicas: Some(self.pods.len() as u32),
            path: &self.path,
            probe: std::mem::replace(&mut autoscaler.probe, Probe::Unverified),
        };
        let mind = autoscaler.mind.clone();
        let mind = match autoscaler.away {
            Some(_) => mind.look_on(&self.order),
            None => mind,
        };
        let (pass, mind) = pass(&seen, mind, now);
        autoscaler.mind = mind;
        let idle = pass.decision.by_load.map_or(ready == 0, |pods| pods == 0);
        autoscaler.account.doze(idle);
        pass
    }

    fn act(&mut self, pass: Pass) {
        if let (Some(replicas), None) = (pass.replicas, self.write) {
            let takes = self.chance.random_range(1..5) * STEP;
            self.write = Some((self.now + takes, replicas as usize));
        }
        if pass.passage == Some(Passage::Unverified) {
            self.autoscaler.probe = Probe::Verified;
            self.autoscaler.again = true;
        }
        if self.order.status.as_ref() != Some(&pass.status) {
            self.order.status = Some(pass.status);
            self.autoscaler.again = true;
        }
    }

    /// A scale write arrives: pods come and go, and the autoscaler sees it.
    fn arrive(&mut self) {
        let Some((_, replicas)) = self.write.take_if(|(due, _)| *due <= self.now) else {
            return;
        };
        if replicas == 0 && !self.pods.is_empty() {
            self.gone = Some(self.now);
        }
        self.pods.truncate(replicas);
        while self.pods.len() < replicas {
            let takes = self.chance.random_range(START.0..START.1);
            self.pods.push(self.now + takes);
        }
        self.autoscaler.again = true;
    }

    fn fail(&mut self, fault: Fault) {
        if fault == Fault::None || self.autoscaler.away.is_some() {
            return;
        }
        let back = self.now + self.chance.random_range(STEP..AWAY);
        if fault == Fault::Restart {
            self.autoscaler.stream = None;
        }
        self.autoscaler.away = Some((back, fault));
    }

    /// Whoever was away comes back, and the activator connects.
    fn recover(&mut self) {
        if let Some((_, fault)) = self.autoscaler.away.take_if(|(back, _)| *back <= self.now) {
            let ready = self.ready() as u32;
            if fault == Fault::Restart {
                self.autoscaler = Autoscaler::begin(&self.order, ready, self.now);
            } else {
                let mind = self.autoscaler.mind.clone();
                self.autoscaler.mind = mind.take_over(&self.order, ready, at(self.now));
                self.autoscaler.account.await_report();
                self.autoscaler.again = true;
            }
        }
        let listens = !matches!(self.autoscaler.away, Some((_, Fault::Restart)));
        if listens && self.autoscaler.stream.is_none() && self.chance.random_bool(0.2) {
            self.autoscaler.stream = Some(self.autoscaler.ledger.listen(at(self.now)));
            self.front_door.connect();
        }
    }
}

/// One round: some requests at a random moment. Returns whether they found no pod.
async fn round(cluster: &mut Cluster) -> bool {
    let pause = cluster.chance.random_range(0..16_000);
    let (quiet, before) = (cluster.now, cluster.gone);
    while cluster.now < quiet + pause {
        cluster.step(STRIDE).await;
    }
    if let (Some(gone), true) = (cluster.gone, cluster.gone != before) {
        let idle = gone - quiet;
        assert!(idle <= WINDOW + GRACE + 5000, "pods outlived {idle} ms");
    }
    let fault = match cluster.chance.random_range(0..10) {
        0 => Fault::Restart,
        1 => Fault::Relief,
        _ => Fault::None,
    };
    cluster.fail(fault);
    let cold = cluster.ready() == 0;
    for _ in 0..cluster.chance.random_range(1..5) {
        let takes = cluster.chance.random_range(0..1500);
        cluster.front_door.request(millis(takes));
        cluster.step(STEP).await;
    }
    let patience = START.1
        + ORDER
        + if fault == Fault::None {
            0
        } else {
            AWAY + ORDER
        };
    let deadline = cluster.now + patience;
    while cluster.front_door.waiting() > 0 {
        assert!(
            cluster.now < deadline,
            "a request waits for longer than {patience} ms: {fault:?}, pods {:?} at {}, {:?}",
            cluster.pods,
            cluster.now,
            cluster.order.status
        );
        cluster.step(STEP).await;
    }
    while !cluster.front_door.is_quiet() {
        cluster.step(STEP).await;
    }
    cold
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_in_vain_in_a_thousand_starts_at_random_moments() {
    let mut cluster = Cluster::new(20_261_121);
    let (mut starts, mut rounds) = (0, 0);
    while starts < STARTS {
        starts += usize::from(round(&mut cluster).await);
        rounds += 1;
        assert!(rounds < 10 * STARTS, "{starts} starts in {rounds} rounds");
    }
    assert!(rounds > STARTS, "some requests find a pod");
}
