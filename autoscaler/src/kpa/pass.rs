//! One pass over one revision: from what was seen to what should be. Pure.
//!
//! decide => gate before zero => replicas, status, way to the revision.

use crds::autoscaling::{PodAutoscaler, PodAutoscalerStatus};
use crds::condition::{self, Truth};
use crds::networking::SksMode;
use jiff::Timestamp;

use crate::decide::{Decision, Load, Memory, Snapshot, decide};
use crate::gate::{self, Activity, Circumstances, Passage, Probe};
use crate::history::Account;
use crate::pods::PodCounts;
use crate::rules::Rules;
use crate::sks::{self, Path};
use crate::status::{self, ACTIVE, Findings};

/// What was seen of a revision at one moment.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The order to scale it.
    pub autoscaler: &'a PodAutoscaler,
    /// Its rules.
    pub rules: &'a Rules,
    /// Its pods.
    pub pods: PodCounts,
    /// Its load; nothing when it can't be known.
    pub load: Option<Load>,
    /// Pods that its Deployment asks for; nothing while there is no Deployment.
    pub replicas: Option<u32>,
    /// The way to it.
    pub path: &'a Path,
    /// Whether an activator answered at its public Service just now.
    pub probe: Probe,
}

/// What a tender remembers of its revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Mind {
    memory: Memory,
    status: PodAutoscalerStatus,
}

/// What should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// What the load and the bounds ask for.
    pub decision: Decision,
    /// How far the revision may go towards zero, where it should.
    pub passage: Option<Passage>,
    /// Pods that are wanted; nothing means unknown.
    pub wanted: Option<u32>,
    /// Pods that the Deployment must be told to have, if it does not already.
    pub replicas: Option<u32>,
    /// The status to store.
    pub status: PodAutoscalerStatus,
    /// Where the public Service should lead.
    pub mode: SksMode,
    /// How many activators should stand behind it.
    pub activators: i32,
}

impl Mind {
    /// The mind of a tender that begins to care for a revision with `ready` pods. What an earlier
    /// tender knew is read from the stored status.
    pub fn begin(autoscaler: &PodAutoscaler, rules: &Rules, ready: u32, now: Timestamp) -> Self {
        Self {
            memory: Memory::begin(&rules.spec, ready, now),
            status: autoscaler.status.clone().unwrap_or_default(),
        }
    }

    /// The mind of a tender that only looks on: another replica writes the status.
    #[must_use]
    pub fn look_on(self, autoscaler: &PodAutoscaler) -> Self {
        Self {
            memory: self.memory,
            status: autoscaler.status.clone().unwrap_or_default(),
        }
    }

    /// The mind of a tender that looked on, and to which the revision belongs from now on.
    #[must_use]
    pub fn take_over(self, autoscaler: &PodAutoscaler, ready: u32, now: Timestamp) -> Self {
        let Self { memory, status } = self.look_on(autoscaler);
        Self {
            memory: memory.take_over(ready, now),
            status,
        }
    }
}

/// Passes over the revision at `now`. Same input, same answer.
pub fn pass(seen: &Seen<'_>, mind: Mind, now: Timestamp) -> (Pass, Mind) {
    let Mind {
        memory,
        status: before,
    } = mind;
    let spec = &seen.rules.spec;
    let activity = status::activity(&before, now);
    let initialized = status::is_initialized(&before);
    let snapshot = Snapshot {
        ready: seen.pods.ready,
        load: seen.load,
        activating: matches!(activity, Activity::Activating(_)),
        initialized,
    };
    let (decision, memory) = decide(spec, &snapshot, memory, now);
    let passage = passage(seen, &decision, activity, now);
    let (wanted, replicas) = match (seen.path, passage) {
        (Path::Unbuilt | Path::Foreign(_), _) => (None, None),
        (Path::Built { .. }, Some(passage)) => (passage.wanted(), passage.replicas()),
        (Path::Built { .. }, None) => (decision.wanted, decision.wanted),
    };
    let found = Findings {
        wanted,
        ready: seen.pods.ready,
        threshold: spec.active_threshold(initialized),
        path: seen.path,
    };
    let status = status::status(seen.autoscaler, &before, &found, now);
    let pass = Pass {
        passage,
        wanted,
        replicas: replicas.filter(|replicas| seen.replicas.is_some_and(|now| now != *replicas)),
        status: status.clone(),
        mode: sks::mode(wanted, decision.excess_burst),
        activators: sks::activators(seen.rules, seen.pods.ready),
        decision,
    };
    (pass, Mind { memory, status })
}

/// What the gate says, if the decision is zero.
fn passage(
    seen: &Seen<'_>,
    decision: &Decision,
    activity: Activity,
    now: Timestamp,
) -> Option<Passage> {
    if decision.wanted != Some(0) {
        return None;
    }
    let stored = seen.autoscaler.status.as_ref();
    let stored = stored.and_then(|status| condition::find(&status.conditions, ACTIVE));
    let circumstances = Circumstances {
        activity,
        announced: Truth::of(stored).is_false(),
        replicas: seen.replicas.unwrap_or_default(),
        proxied_since: seen.path.proxied_since(),
        probe: seen.probe,
    };
    Some(gate::pass(&seen.rules.zero, &circumstances, now))
}

impl Pass {
    /// The account of this pass for those who ask why; `ours` if we act on it.
    pub fn account(&self, seen: &Seen<'_>, ours: bool) -> Account {
        Account {
            ready: seen.pods.ready,
            replicas: seen.replicas,
            load: seen.load,
            target: seen.rules.spec.target.per_pod,
            by_load: self.decision.by_load,
            rule: self.decision.rule,
            passage: self.passage,
            wanted: self.wanted,
            written: self.replicas.filter(|_| ours),
            excess_burst: self.decision.excess_burst,
            panicking: self.decision.panicking,
        }
    }
}

#[cfg(test)]
mod tests;
