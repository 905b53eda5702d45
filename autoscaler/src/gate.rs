//! The gate before zero: pods go only after nothing routes to them (contract/data-plane 1.7,
//! contract/control-plane 3.4). A pure state machine over the Active condition:
//!
//! Active (a whole stable window without load) => Inactive, told in the status, pods untouched
//! => activators verified in the path, grace or retention over => zero pods.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::elapsed;

/// How long a start may take beyond its deadline before it is given up.
const START_BUFFER: Duration = Duration::from_secs(30);

/// The rules of going to zero.
#[derive(Clone, Debug, PartialEq)]
pub struct ZeroRules {
    /// Whether revisions go to zero at all.
    pub enabled: bool,
    /// How long a revision must have been active.
    pub stable_window: Duration,
    /// Longest wait for the network to let go of the pods. Not a keep-alive.
    pub grace: Duration,
    /// How long the last pod stays after the last request: the keep-alive.
    pub retention: Duration,
    /// How long a start may take.
    pub progress_deadline: Duration,
    /// Whether activators are always in the path, so that nothing has to be verified.
    pub always_buffered: bool,
}

/// What the Active condition says, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Unknown: pods are awaited.
    Activating(Timestamp),
    /// True.
    Active(Timestamp),
    /// False: nothing routes to pods.
    Inactive(Timestamp),
}

/// What was learnt from the probe of the public Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Not asked in this state, or activators did not answer.
    Unverified,
    /// An activator answered.
    Verified,
}

/// What the gate looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circumstances {
    /// The Active condition.
    pub activity: Activity,
    /// Whether the stored status says so as well.
    pub announced: bool,
    /// Pods that the Deployment asks for.
    pub replicas: u32,
    /// Since when the public Service has led to activators.
    pub proxied_since: Option<Timestamp>,
    /// What the probe found.
    pub probe: Probe,
}

/// How far the revision may go towards zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passage {
    /// enable-scale-to-zero is off: one pod stays.
    Disabled,
    /// The first pods are awaited: nothing is decided.
    Starting,
    /// The start took too long: pods go.
    GivenUp,
    /// Not active for a whole stable window yet: one pod stays.
    WindowOpen,
    /// The status must say first that the revision is inactive.
    Announcing,
    /// The last pod stays for the retention period.
    Retained,
    /// The network may still lead to the pods.
    InGrace,
    /// An activator has to answer at the public Service first.
    Unverified,
    /// Pods go.
    Open,
}

impl Passage {
    /// Pods that the revision is said to want; nothing means unknown.
    pub fn wanted(self) -> Option<u32> {
        match self {
            Self::Disabled | Self::WindowOpen => Some(1),
            Self::Starting => None,
            Self::GivenUp
            | Self::Announcing
            | Self::Retained
            | Self::InGrace
            | Self::Unverified
            | Self::Open => Some(0),
        }
    }

    /// Pods that the Deployment should have; nothing leaves it as it is.
    pub fn replicas(self) -> Option<u32> {
        match self {
            Self::Disabled | Self::WindowOpen => Some(1),
            Self::GivenUp | Self::Open => Some(0),
            Self::Starting
            | Self::Announcing
            | Self::Retained
            | Self::InGrace
            | Self::Unverified => None,
        }
    }
}

/// Asks the gate at `now` for a revision that the load wants at zero. The probe is the last
/// question, so it is asked only when its answer is all that is missing.
pub fn pass(rules: &ZeroRules, seen: &Circumstances, now: Timestamp) -> Passage {
    if !rules.enabled {
        return Passage::Disabled;
    }
    match seen.activity {
        Activity::Activating(since) => {
            if elapsed(since, now) > rules.progress_deadline + START_BUFFER {
                Passage::GivenUp
            } else {
                Passage::Starting
            }
        }
        Activity::Active(since) if elapsed(since, now) < rules.stable_window => Passage::WindowOpen,
        Activity::Active(_) => Passage::Announcing,
        Activity::Inactive(_) if seen.replicas == 0 => Passage::Open,
        Activity::Inactive(_) if !seen.announced => Passage::Announcing,
        Activity::Inactive(since) => leave(rules, seen, elapsed(since, now), now),
    }
}

fn leave(rules: &ZeroRules, seen: &Circumstances, idle: Duration, now: Timestamp) -> Passage {
    let proxied = seen
        .proxied_since
        .map_or(Duration::ZERO, |since| elapsed(since, now));
    if idle < rules.grace.max(rules.retention) {
        if idle < rules.retention {
            return Passage::Retained;
        }
        if proxied < rules.grace {
            return Passage::InGrace;
        }
    }
    match seen.probe {
        Probe::Unverified if !rules.always_buffered => Passage::Unverified,
        Probe::Unverified | Probe::Verified => Passage::Open,
    }
}

#[cfg(test)]
mod tests;
