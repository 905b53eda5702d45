//! Levels of concurrency, held by nobody but the test, before the real windows, decisions and gate; pods
//! take a while to start.

use autoscaler::ledger::Sample;
use autoscaler::pods::PodCounts;
use autoscaler::replay::Scaling;
use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use jiff::Timestamp;

/// Seconds that a pod takes to become ready.
const START: i64 = 3;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).expect("a second of our time")
}

/// A cluster with one revision that starts at zero.
struct Cluster {
    scaling: Scaling,
    /// When each pod was asked for.
    pods: Vec<i64>,
    writes: Vec<(i64, usize)>,
}

impl Cluster {
    fn with(annotations: &[(&str, &str)]) -> Self {
        let autoscaler = PodAutoscaler::default();
        let mut scaling = Scaling::begin(autoscaler, Settings::default(), 0, at(-500));
        for (name, value) in annotations {
            scaling.annotate(&format!("autoscaling.knative.dev/{name}"), value);
        }
        let mut cluster = Self {
            scaling,
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
        let sample = Sample {
            concurrency,
            requests: concurrency,
        };
        let poked = concurrency > 0.0 && self.scaling.report(sample, at(second));
        if poked || second % 2 == 0 {
            self.pass(second);
        }
    }

    fn pass(&mut self, second: i64) {
        let pods = PodCounts {
            ready: self.ready(second) as u32,
            ..PodCounts::default()
        };
        let pass = self.scaling.pass(pods, self.pods.len() as u32, at(second));
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
    cluster
        .scaling
        .annotate("autoscaling.knative.dev/min-scale", "2");
    cluster.play(60..600, |_| 0.0);
    assert_eq!(cluster.pods.len(), 2, "{:?}", cluster.writes);
}

#[test]
fn a_restart_of_the_autoscaler_keeps_the_pods_until_it_knows_better() {
    let mut cluster = Cluster::with(&[("target", "10")]);
    cluster.play(0..60, |_| 60.0);
    let before = cluster.pods.len();
    cluster.scaling.restart(before as u32, at(60));
    cluster.writes.clear();
    cluster.play(60..180, |_| 0.0);
    assert_eq!(cluster.writes, [], "nobody reports: nothing is known");
    cluster.scaling.listen(at(180));
    cluster.play(180..239, |_| 0.0);
    assert_eq!(
        cluster.writes,
        [],
        "silence says nothing before a window is over"
    );
    cluster.play(239..500, |_| 0.0);
    assert!(cluster.pods.is_empty(), "{:?}", cluster.writes);
}
