//! Where the time of a cold start went. Pure: what happened when comes in as values.
//!
//! Kubernetes tells of most steps in whole seconds, and about a second late; what we have seen
//! ourselves is exact. A step that nobody told of has no time of its own: the next one has it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::time::Instant;

/// A cold start that took longer is told in an event.
pub const SLOW: Duration = Duration::from_secs(5);

/// A part of a cold start, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Until the pod exists: the autoscaler decides, Kubernetes' controllers make it.
    Decide,
    /// Until it has a node.
    Schedule,
    /// Until its sandbox and its network are there.
    Sandbox,
    /// Until the first container runs: mostly its image.
    Pull,
    /// Until the last container runs.
    Start,
    /// Until the app answers.
    Ready,
    /// Until it was this request's turn.
    Queue,
    /// Until the app's answer began.
    Forward,
}

/// What is known of a pod's first steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// The pod was told of.
    pub seen: Option<Instant>,
    /// It had a node.
    pub scheduled: Option<Instant>,
    /// Its sandbox was there.
    pub sandboxed: Option<Instant>,
    /// The first container ran.
    pub started: Option<Instant>,
    /// All containers ran.
    pub running: Option<Instant>,
    /// It could get requests.
    pub ready: Option<Instant>,
}

/// A request that came when there was no pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColdStart {
    /// It came.
    pub arrived: Instant,
    /// It got its pod.
    pub granted: Instant,
    /// Its answer began.
    pub answered: Instant,
}

/// How long each phase took. Together they are the whole time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakdown([(Phase, Duration); 8]);

/// Now, for people and for us.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// What Kubernetes' times are compared with.
    pub wall: SystemTime,
    /// The same moment.
    pub instant: Instant,
}

// === impl Phase ===

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Decide,
        Self::Schedule,
        Self::Sandbox,
        Self::Pull,
        Self::Start,
        Self::Ready,
        Self::Queue,
        Self::Forward,
    ];

    /// As labels and headers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Schedule => "schedule",
            Self::Sandbox => "sandbox",
            Self::Pull => "pull",
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Queue => "queue",
            Self::Forward => "forward",
        }
    }
}

// === impl Now ===

impl Now {
    /// This very moment.
    pub fn read() -> Self {
        Self {
            wall: SystemTime::now(),
            instant: Instant::now(),
        }
    }

    /// When something happened that is told in whole seconds: at the end of that second, but not
    /// later than it was told.
    fn at(self, told: &Time) -> Option<Instant> {
        let second = u64::try_from(told.0.as_second()).ok()?;
        let end = UNIX_EPOCH + Duration::from_secs(second + 1);
        let ago = self.wall.duration_since(end).unwrap_or_default();
        self.instant.checked_sub(ago)
    }
}

// === impl Birth ===

impl Birth {
    /// What a pod tells of its first steps.
    pub fn told_by(pod: &Pod, now: Now) -> Self {
        let nothing = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&nothing);
        let condition = |kind: &str| {
            let mut conditions = status.conditions.iter().flatten();
            let met = conditions.find(|it| it.type_ == kind && it.status == "True")?;
            now.at(met.last_transition_time.as_ref()?)
        };
        let containers = || status.container_statuses.iter().flatten();
        let started = || containers().filter_map(|container| now.at(started_at(container)?));
        let expected = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
        Self {
            seen: Some(now.instant),
            scheduled: condition("PodScheduled"),
            sandboxed: condition("PodReadyToStartContainers"),
            started: started().min(),
            running: started().max().filter(|_| started().count() == expected),
            ready: None,
        }
    }

    /// Adds what is new. What was told first stays.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            seen: self.seen.or(later.seen),
            scheduled: self.scheduled.or(later.scheduled),
            sandboxed: self.sandboxed.or(later.sandboxed),
            started: self.started.or(later.started),
            running: self.running.or(later.running),
            ready: self.ready.or(later.ready),
        }
    }
}

fn started_at(container: &ContainerStatus) -> Option<&Time> {
    container
        .state
        .as_ref()?
        .running
        .as_ref()?
        .started_at
        .as_ref()
}

// === impl ColdStart ===

impl ColdStart {
    /// Where its time went, as far as is known.
    pub fn breakdown(&self, birth: &Birth) -> Breakdown {
        let mut last = self.arrived;
        // A time that can't be (another clock, whole seconds) is moved between its neighbours.
        let latest = birth.ready.unwrap_or(self.granted).min(self.granted);
        let mut until = |phase, moment: Option<Instant>, latest: Instant| {
            let moment = moment.unwrap_or(last).min(latest).max(last);
            let took = moment.saturating_duration_since(last);
            last = moment;
            (phase, took)
        };
        Breakdown([
            until(Phase::Decide, birth.seen, latest),
            until(Phase::Schedule, birth.scheduled, latest),
            until(Phase::Sandbox, birth.sandboxed, latest),
            until(Phase::Pull, birth.started, latest),
            until(Phase::Start, birth.running, latest),
            until(Phase::Ready, birth.ready, latest),
            until(Phase::Queue, Some(self.granted), self.granted),
            until(Phase::Forward, Some(self.answered), self.answered),
        ])
    }
}

// === impl Breakdown ===

impl Breakdown {
    /// Each phase and its time.
    pub fn phases(&self) -> impl Iterator<Item = (Phase, Duration)> {
        self.0.into_iter()
    }

    /// All of it.
    pub fn total(&self) -> Duration {
        self.0.iter().map(|(_, took)| *took).sum()
    }

    /// What is told of a cold start that took longer than [`SLOW`]; None of a quicker one.
    pub fn complaint(&self) -> Option<String> {
        let total = self.total();
        let (slowest, took) = self.0.iter().max_by_key(|(_, took)| *took)?;
        (total > SLOW).then(|| {
            let (phase, took, total) = (slowest.name(), took.as_secs_f64(), total.as_secs_f64());
            format!("A cold start took {total:.1} s; {phase} took the most, {took:.1} s ({self})")
        })
    }

    /// As the header `Server-Timing` has it, in milliseconds.
    pub fn server_timing(&self) -> Option<HeaderValue> {
        let phase = |(phase, took): &(Phase, Duration)| {
            format!("{};dur={:.1}", phase.name(), took.as_secs_f64() * 1000.0)
        };
        let text: Vec<_> = self.0.iter().map(phase).collect();
        HeaderValue::try_from(text.join(", ")).ok()
    }
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (phase, took)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{} {:.1} s", phase.name(), took.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;
    use tokio::time::Instant;

    use super::{Birth, ColdStart, Now};

    fn milliseconds(cold: &ColdStart, birth: &Birth) -> Vec<u128> {
        let phases = cold.breakdown(birth);
        phases.phases().map(|(_, took)| took.as_millis()).collect()
    }

    #[test]
    fn time_goes_to_the_phases_that_are_known_and_is_never_lost() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let some = |ms| Some(at(ms));
        let cold = ColdStart {
            arrived: at(100),
            granted: at(900),
            answered: at(950),
        };
        let all = Birth {
            seen: some(150),
            scheduled: some(180),
            sandboxed: some(400),
            started: some(500),
            running: some(650),
            ready: some(890),
        };
        let early = Birth {
            ready: some(890),
            seen: some(150),
            ..Birth::default()
        };
        // The whole second of kubelet ends after the pod was ready.
        let late = Birth {
            started: some(1000),
            ..all
        };
        // The pod was on its way before the request came.
        let before = Birth {
            seen: some(10),
            scheduled: some(20),
            ..all
        };
        let cases = [
            ("all known", all, [50, 30, 220, 100, 150, 240, 10, 50]),
            (
                "nothing known",
                Birth::default(),
                [0, 0, 0, 0, 0, 0, 800, 50],
            ),
            ("only ours", early, [50, 0, 0, 0, 0, 740, 10, 50]),
            ("too late", late, [50, 30, 220, 490, 0, 0, 10, 50]),
            ("too early", before, [0, 0, 300, 100, 150, 240, 10, 50]),
        ];
        for (case, birth, expected) in cases {
            assert_eq!(milliseconds(&cold, &birth), expected, "{case}");
            assert_eq!(cold.breakdown(&birth).total(), Duration::from_millis(850));
        }
    }

    #[test]
    fn slow_start_names_its_slowest_phase() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let cold = |end| ColdStart {
            arrived: start,
            granted: at(end),
            answered: at(end),
        };
        let birth = Birth {
            sandboxed: Some(at(1)),
            started: Some(at(5)),
            ..Birth::default()
        };
        assert_eq!(cold(5).breakdown(&birth).complaint(), None);
        let slow = cold(6).breakdown(&birth);
        let told = slow.complaint().unwrap();
        assert!(
            told.starts_with("A cold start took 6.0 s; pull took the most, 4.0 s (decide 0.0 s"),
            "{told}"
        );
        let header = slow.server_timing().unwrap();
        assert!(
            header
                .to_str()
                .unwrap()
                .contains("pull;dur=4000.0, start;dur=0.0")
        );
    }

    #[test]
    fn pod_tells_its_steps_in_whole_seconds() {
        let pod = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "user-container"}, {"name": "queue-proxy"}]},
            "status": {
                "conditions": [
                    {"type": "PodScheduled", "status": "True", "lastTransitionTime": "1970-01-01T00:01:40Z"},
                    {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": "1970-01-01T00:01:40Z"},
                ],
                "containerStatuses": [{
                    "name": "user-container", "image": "i", "imageID": "", "ready": false,
                    "restartCount": 0, "state": {"running": {"startedAt": "1970-01-01T00:01:42Z"}},
                }],
            },
        });
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let instant = Instant::now() + Duration::from_secs(1000);
        let wall = UNIX_EPOCH + Duration::from_millis(102_500);
        let birth = Birth::told_by(&pod, Now { wall, instant });
        let expected = Birth {
            seen: Some(instant),
            scheduled: Some(instant - Duration::from_millis(1500)),
            sandboxed: None,
            started: Some(instant),
            running: None,
            ready: None,
        };
        assert_eq!(birth, expected);
        let earlier = Birth {
            seen: Some(instant - Duration::from_secs(9)),
            ..Birth::default()
        };
        assert_eq!(earlier.and(birth).seen, earlier.seen);
        assert_eq!(earlier.and(birth).scheduled, birth.scheduled);
    }
}
