//! Traces of load, replayed through the real windows, decisions and gate against a model of a
//! cluster whose pods take a while to start.

use std::sync::Arc;

use autoscaler::gate::{Passage, Probe};
use autoscaler::id::RevisionId;
use autoscaler::kpa::pass::{Mind, Seen, pass};
use autoscaler::ledger::{Account, Ledger, Sample, Stream};
use autoscaler::pods::PodCounts;
use autoscaler::rules::Rules;
use autoscaler::sks::Path;
use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use futures::FutureExt;
use jiff::Timestamp;

/// Seconds that a pod takes to become ready.
const START: i64 = 3;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).expect("a second of our time")
}

/// A cluster with one revision that starts at zero.
struct Cluster {
    autoscaler: PodAutoscaler,
    ledger: Arc<Ledger>,
    account: Arc<Account>,
    rules: Rules,
    mind: Mind,
    path: Path,
    probe: Probe,
    /// When each pod was asked for.
    pods: Vec<i64>,
    writes: Vec<(i64, usize)>,
    _activator: Stream,
}

impl Cluster {
    fn with(annotations: &[(&str, &str)]) -> Self {
        let mut autoscaler = PodAutoscaler::default();
        let key = |key| format!("autoscaling.knative.dev/{key}");
        let annotations = annotations
            .iter()
            .map(|(name, value)| (key(name), (*value).to_owned()));
        autoscaler.metadata.annotations = Some(annotations.collect());
        let rules = Rules::read(&autoscaler, &Settings::default());
        let ledger = Arc::<Ledger>::default();
        let path = Path::Built {
            public: "hello".to_owned(),
            private: "hello-private".to_owned(),
            ready: true,
            message: String::new(),
            proxied_since: Some(at(-1000)),
        };
        let mut cluster = Self {
            account: ledger.open(&RevisionId::new("ns", "hello"), &rules, at(-500)),
            mind: Mind::begin(&autoscaler, &rules, 0, at(-500)),
            _activator: ledger.listen(at(-500)),
            autoscaler,
            ledger,
            rules,
            path,
            probe: Probe::Unverified,
            pods: vec![-500],
            writes: Vec::new(),
        };
        // The first pod comes, nobody asks for anything, it goes.
        (-500..0).for_each(|second| cluster.second(second, 0.0));
        assert!(cluster.pods.is_empty(), "{:?}", cluster.writes);
        cluster.writes.clear();
        cluster
    }

    fn ready(&self, second: i64) -> usize {
        self.pods
            .iter()
            .filter(|asked| *asked + START <= second)
            .count()
    }

    /// One second with so many requests in flight, in pods or waiting.
    fn second(&mut self, second: i64, concurrency: f64) {
        if concurrency > 0.0 {
            let sample = Sample {
                concurrency,
                requests: concurrency,
            };
            self.ledger
                .record(RevisionId::new("ns", "hello"), sample, at(second));
        }
        let poked = self.account.woken().now_or_never().is_some();
        if poked || second % 2 == 0 {
            self.pass(second);
        }
    }

    fn pass(&mut self, second: i64) {
        let ready = self.ready(second) as u32;
        let seen = Seen {
            autoscaler: &self.autoscaler,
            rules: &self.rules,
            pods: PodCounts {
                ready,
                ..PodCounts::default()
            },
            load: self.account.load(
                &self.rules,
                self.ledger.source(at(second)),
                ready,
                at(second),
            ),
            replicas: Some(self.pods.len() as u32),
            path: &self.path,
            probe: self.probe,
        };
        let (pass, mind) = pass(&seen, self.mind.clone(), at(second));
        self.mind = mind;
        self.account.doze(pass.decision.by_load.unwrap_or(0) == 0);
        self.probe = match pass.passage {
            Some(Passage::Unverified) => Probe::Verified,
            _ => Probe::Unverified,
        };
        self.autoscaler.status = Some(pass.status);
        if let Some(replicas) = pass.replicas {
            self.writes.push((second, replicas as usize));
            self.pods.resize(replicas as usize, second);
        }
    }

    fn play(&mut self, seconds: std::ops::Range<i64>, concurrency: impl Fn(i64) -> f64) {
        seconds.for_each(|second| self.second(second, concurrency(second)));
    }

    fn most(&self) -> usize {
        self.writes
            .iter()
            .map(|(_, replicas)| *replicas)
            .max()
            .unwrap_or_default()
    }
}

#[test]
fn from_zero_to_the_load_and_back_to_zero() {
    let mut cluster = Cluster::with(&[("target", "10"), ("target-utilization-percentage", "70")]);
    cluster.play(0..120, |_| 28.0);
    assert_eq!(
        cluster.writes[0].0, 0,
        "the first request scales in its own second"
    );
    assert_eq!(
        cluster.pods.len(),
        4,
        "28 requests, 7 per pod: {:?}",
        cluster.writes
    );
    assert!(cluster.most() <= 5, "{:?}", cluster.writes);
    cluster.play(120..300, |_| 0.0);
    assert!(cluster.pods.is_empty());
    let (gone, _) = cluster.writes[cluster.writes.len() - 1];
    assert!(
        (180..=190).contains(&gone),
        "zero after a window without load: {:?}",
        cluster.writes
    );
    let writes = cluster.writes.len();
    cluster.play(300..900, |_| 0.0);
    assert_eq!(cluster.writes.len(), writes, "settled means silent");
}

#[test]
fn a_single_request_keeps_one_pod_for_a_window() {
    let mut cluster = Cluster::with(&[]);
    cluster.play(0..200, |second| if second == 1 { 1.0 } else { 0.0 });
    let replicas: Vec<_> = cluster
        .writes
        .iter()
        .map(|(_, replicas)| *replicas)
        .collect();
    assert_eq!(replicas, [1, 0], "{:?}", cluster.writes);
    assert_eq!(cluster.writes[0].0, 1, "a poke does not wait for the tick");
    assert!(
        (61..=75).contains(&cluster.writes[1].0),
        "{:?}",
        cluster.writes
    );
}

#[test]
fn a_burst_panics_and_pods_outlast_it() {
    let mut cluster = Cluster::with(&[("target", "10")]);
    cluster.play(0..30, |_| 5.0);
    assert_eq!(cluster.pods.len(), 1);
    cluster.play(30..40, |_| 100.0);
    let peak = cluster.pods.len();
    assert!(
        (8..=15).contains(&peak),
        "sudden load counts at once: {:?}",
        cluster.writes
    );
    cluster.play(40..90, |_| 5.0);
    assert!(
        cluster.pods.len() >= peak,
        "in panic nothing shrinks: {:?}",
        cluster.writes
    );
    cluster.play(90..200, |_| 5.0);
    assert_eq!(cluster.pods.len(), 1, "{:?}", cluster.writes);
}

#[test]
fn max_and_min_scale_hold_all_the_way() {
    let mut cluster = Cluster::with(&[("target", "10"), ("max-scale", "3")]);
    cluster.play(0..60, |_| 500.0);
    assert_eq!((cluster.pods.len(), cluster.most()), (3, 3));
    let key = "autoscaling.knative.dev/min-scale".to_owned();
    cluster
        .autoscaler
        .metadata
        .annotations
        .as_mut()
        .unwrap()
        .insert(key, "2".to_owned());
    cluster.rules = Rules::read(&cluster.autoscaler, &Settings::default());
    cluster.play(60..600, |_| 0.0);
    assert_eq!(cluster.pods.len(), 2, "{:?}", cluster.writes);
}

#[test]
fn a_restart_of_the_autoscaler_keeps_the_pods_until_it_knows_better() {
    let mut cluster = Cluster::with(&[("target", "10")]);
    cluster.play(0..60, |_| 60.0);
    let before = cluster.pods.len();
    let now = at(60);
    cluster.ledger = Arc::default();
    cluster.account = cluster
        .ledger
        .open(&RevisionId::new("ns", "hello"), &cluster.rules, now);
    cluster.mind = Mind::begin(&cluster.autoscaler, &cluster.rules, before as u32, now);
    cluster.writes.clear();
    cluster.play(60..180, |_| 0.0);
    assert_eq!(cluster.writes, [], "nobody reports: nothing is known");
    cluster._activator = cluster.ledger.listen(at(180));
    cluster.play(180..239, |_| 0.0);
    assert_eq!(
        cluster.writes,
        [],
        "silence says nothing before a window is over"
    );
    cluster.play(239..500, |_| 0.0);
    assert!(cluster.pods.is_empty(), "{:?}", cluster.writes);
}
