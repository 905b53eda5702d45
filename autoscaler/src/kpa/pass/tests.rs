use std::time::Duration;

use crds::autoscaling::PodAutoscaler;
use crds::config::Settings;
use crds::networking::SksMode;
use jiff::Timestamp;

use super::{Mind, Pass, Seen, pass};
use crate::decide::{Load, Rule};
use crate::gate::{Passage, Probe};
use crate::pods::PodCounts;
use crate::rules::Rules;
use crate::sks::Path;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn built() -> Path {
    Path::Built {
        public: "hello".to_owned(),
        private: "hello-private".to_owned(),
        ready: true,
        message: String::new(),
        proxied_since: Some(at(-1000)),
    }
}

/// A revision and those who tend it.
struct Story {
    autoscaler: PodAutoscaler,
    rules: Rules,
    mind: Mind,
    path: Path,
    ready: u32,
    replicas: Option<u32>,
    probe: Probe,
}

impl Story {
    fn new() -> Self {
        let autoscaler = PodAutoscaler::default();
        let rules = Rules::read(&autoscaler, &Settings::default());
        let mind = Mind::begin(&autoscaler, &rules, 0, at(0));
        let replicas = Some(1);
        let (path, ready, probe) = (built(), 0, Probe::Unverified);
        Self {
            autoscaler,
            rules,
            mind,
            path,
            ready,
            replicas,
            probe,
        }
    }

    /// One pass with that load; afterwards everything that it asked for is done.
    fn at(&mut self, second: i64, load: Option<f64>) -> Pass {
        let seen = Seen {
            autoscaler: &self.autoscaler,
            rules: &self.rules,
            pods: PodCounts {
                ready: self.ready,
                ..PodCounts::default()
            },
            load: load.map(|load| Load {
                stable: load,
                panic: load,
            }),
            replicas: self.replicas,
            path: &self.path,
            probe: self.probe,
        };
        let (pass, mind) = pass(&seen, self.mind.clone(), at(second));
        self.mind = mind;
        self.autoscaler.status = Some(pass.status.clone());
        self.replicas = pass.replicas.or(self.replicas);
        pass
    }

    /// Ready and active since second 10.
    fn active() -> Self {
        let mut story = Self::new();
        story.at(0, None);
        story.ready = 1;
        story.at(10, Some(1.0));
        story
    }

    /// At zero since second 200.
    fn idle() -> Self {
        let mut story = Self::active();
        story.probe = Probe::Verified;
        story.at(198, Some(0.0));
        story.at(200, Some(0.0));
        story.ready = 0;
        story
    }
}

#[test]
fn a_new_revision_waits_for_its_first_pod() {
    let mut story = Story::new();
    let waiting = story.at(0, None);
    assert_eq!((waiting.wanted, waiting.replicas), (None, None));
    assert_eq!(waiting.passage, Some(Passage::Starting));
    story.ready = 1;
    story.at(10, None);
    assert!(crate::status::is_initialized(
        story.autoscaler.status.as_ref().unwrap()
    ));
}

#[test]
fn idle_revision_with_traffic_gets_one_pod_at_once() {
    let mut story = Story::idle();
    assert_eq!(story.replicas, Some(0));
    let pass = story.at(300, Some(1.0));
    assert_eq!((pass.wanted, pass.replicas), (Some(1), Some(1)));
    assert_eq!(pass.mode, SksMode::Proxy);
    let again = story.at(302, Some(1.0));
    assert_eq!((again.wanted, again.replicas), (Some(1), None));
}

#[test]
fn the_last_pod_goes_in_steps() {
    let mut story = Story::active();
    let early = story.at(60, Some(0.0));
    assert_eq!(
        (early.passage, early.wanted),
        (Some(Passage::WindowOpen), Some(1))
    );
    let told = story.at(70, Some(0.0));
    assert_eq!(
        (told.passage, told.wanted, told.replicas),
        (Some(Passage::Announcing), Some(0), None)
    );
    assert!(crds::condition::is_failed(
        &told.status.conditions,
        None,
        None
    ));
    let asked = story.at(72, Some(0.0));
    assert_eq!(
        (asked.passage, asked.replicas),
        (Some(Passage::Unverified), None)
    );
    story.probe = Probe::Verified;
    let gone = story.at(73, Some(0.0));
    assert_eq!(
        (gone.passage, gone.replicas),
        (Some(Passage::Open), Some(0))
    );
}

#[test]
fn load_during_the_last_steps_keeps_the_pod() {
    let mut story = Story::active();
    story.at(70, Some(0.0));
    story.at(72, Some(0.0));
    story.probe = Probe::Verified;
    let back = story.at(73, Some(0.5));
    assert_eq!((back.wanted, back.replicas), (Some(1), None));
    let active = story.at(75, Some(0.0));
    assert_eq!(active.passage, Some(Passage::WindowOpen));
}

#[test]
fn a_settled_revision_asks_for_nothing() {
    for (mut story, load, second) in [
        (Story::active(), Some(1.0), 100),
        (Story::idle(), None, 300),
        (Story::idle(), Some(0.0), 300),
    ] {
        let first = story.at(second, load);
        for tick in 1..50 {
            let next = story.at(second + 2 * tick, load);
            assert_eq!(next.replicas, None);
            assert_ne!(next.passage, Some(Passage::Unverified));
            assert_eq!((&next.status, next.mode), (&first.status, first.mode));
        }
    }
}

#[test]
fn a_restart_changes_nothing_before_data_arrives() {
    for (ready, story) in [
        (0, Story::idle()),
        (1, Story::active()),
        (7, Story::active()),
    ] {
        let mut story = story;
        (story.ready, story.replicas) = (ready, Some(ready));
        story.at(300, Some(f64::from(ready) * 70.0));
        story.mind = Mind::begin(&story.autoscaler, &story.rules, ready, at(310));
        for second in 310..320 {
            let pass = story.at(second, None);
            assert_eq!(
                (pass.replicas, pass.decision.rule),
                (None, Rule::NoData),
                "{ready} ready"
            );
            assert_eq!(pass.status.desired_scale, Some(ready as i32));
        }
    }
}

#[test]
fn after_a_restart_several_pods_stay_for_a_window() {
    let mut story = Story::active();
    (story.ready, story.replicas) = (7, Some(7));
    story.mind = Mind::begin(&story.autoscaler, &story.rules, 7, at(300));
    assert_eq!(story.at(302, Some(1.0)).wanted, Some(7));
    assert_eq!(story.at(362, Some(1.0)).wanted, Some(3));
}

#[test]
fn the_first_load_after_a_restart_wakes_a_revision_at_zero() {
    let mut story = Story::idle();
    story.mind = Mind::begin(&story.autoscaler, &story.rules, 0, at(310));
    story.at(310, None);
    assert_eq!(story.at(311, Some(1.0)).replicas, Some(1));
}

#[test]
fn a_failed_start_is_given_up_and_told() {
    let mut story = Story::idle();
    story.rules.zero.progress_deadline = Duration::from_secs(20);
    story.at(300, Some(1.0));
    assert_eq!(story.at(350, Some(0.0)).replicas, None);
    let given_up = story.at(351, Some(0.0));
    assert_eq!((given_up.replicas, given_up.wanted), (Some(0), Some(0)));
    let active = crds::condition::find(&given_up.status.conditions, "Active").unwrap();
    assert_eq!(
        (active.status.as_str(), active.reason.as_str()),
        ("False", "TimedOut")
    );
}

#[test]
fn nothing_is_scaled_without_a_way_to_the_revision() {
    for path in [Path::Unbuilt, Path::Foreign("hello".to_owned())] {
        let mut story = Story::active();
        story.path = path;
        let pass = story.at(300, Some(500.0));
        assert_eq!(
            (pass.wanted, pass.replicas, pass.mode),
            (None, None, SksMode::Proxy)
        );
    }
}

#[test]
fn without_a_deployment_there_is_nothing_to_write() {
    let mut story = Story::active();
    story.replicas = None;
    let pass = story.at(300, Some(500.0));
    assert!(pass.wanted > Some(1) && pass.replicas.is_none());
}

#[test]
fn activators_leave_the_path_when_a_burst_finds_room() {
    let mut story = Story::active();
    story.ready = 3;
    assert_eq!(story.at(300, Some(50.0)).mode, SksMode::Serve);
    story.ready = 2;
    assert_eq!(story.at(302, Some(50.0)).mode, SksMode::Proxy);
}

#[test]
fn who_takes_over_goes_on_from_the_stored_status_and_takes_no_pod_for_a_window() {
    let mut story = Story::active();
    (story.ready, story.replicas) = (4, Some(4));
    let stored = story.at(20, Some(270.0)).status;
    let other = Mind::begin(&PodAutoscaler::default(), &story.rules, 0, at(0));
    story.mind = other.take_over(&story.autoscaler, 4, at(30));
    let pass = story.at(30, Some(1.0));
    assert_eq!((pass.wanted, pass.replicas), (Some(4), None));
    assert_eq!(pass.status, stored);
    assert_eq!(story.at(90, Some(1.0)).wanted, Some(4));
    assert_eq!(story.at(92, Some(1.0)).wanted, Some(2));
}

#[test]
fn who_looks_on_believes_the_stored_status() {
    let mut story = Story::active();
    let stored = story.autoscaler.status.clone();
    let idle = Story::idle();
    story.mind = idle.mind.look_on(&story.autoscaler);
    assert_eq!(Some(story.at(20, Some(1.0)).status), stored);
}
