//! The decision: how many pods a revision should have (contract/data-plane 1.5 and the bounds of
//! 1.7). Pure: the clock is an argument, and what must be remembered is a value.
//!
//! The steps, each of which may overrule the one before: load, rate limits, activation scale,
//! panic, scale-down delay, bounds. The last one that changed the number is the decision's
//! [`Rule`]. Whether zero may really be applied is asked of [`crate::gate`] afterwards.

mod bounds;
mod delay;
mod panic;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::target::Target;

pub use bounds::Bounds;
use delay::Delay;
use panic::Panic;

/// Time between two decisions about one revision.
pub const TICK: Duration = Duration::from_secs(2);

/// The rules of one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// What one pod carries.
    pub target: Target,
    /// Load that must find room without a new pod.
    pub burst: Burst,
    /// Window for steady load.
    pub stable_window: Duration,
    /// Panic begins when so many times more pods are needed than are ready.
    pub panic_threshold: f64,
    /// Largest factor of growth over the ready pods.
    pub max_scale_up_rate: f64,
    /// Largest factor of shrinking below the ready pods.
    pub max_scale_down_rate: f64,
    /// Pods to start with once there is load at all; at most 1 is no wish.
    pub activation_scale: u32,
    /// How long load must be gone before pods go.
    pub scale_down_delay: Duration,
    /// Whether a route may lead here. If not, nothing slows the way down.
    pub reachable: bool,
    /// Fewest and most pods.
    pub bounds: Bounds,
}

/// Target burst capacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Burst {
    /// 0: activators are in the path only while there is no pod.
    None,
    /// So many requests must find room.
    Capacity(f64),
    /// -1: activators are always in the path.
    Unlimited,
}

/// What was seen of a revision at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// Pods that are running, ready and not about to go.
    pub ready: u32,
    /// The load; nothing when it can't be known.
    pub load: Option<Load>,
    /// Whether the first pods are still awaited, or pods after zero.
    pub activating: bool,
    /// Whether the revision has reached its initial scale once.
    pub initialized: bool,
}

/// Average load of the whole revision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Over the stable window.
    pub stable: f64,
    /// Over the panic window.
    pub panic: f64,
}

/// What the next decision needs of the ones before.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    panic: Panic,
    delay: Delay,
    by_load: Option<u32>,
    excess_burst: i64,
}

/// How many pods a revision should have, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Pods after all rules; nothing means: unknown, leave the revision as it is.
    pub wanted: Option<u32>,
    /// Pods before the bounds. While it is zero or unknown, a first request must wake us.
    pub by_load: Option<u32>,
    /// Load that would still find room, negative when there is too little. -1 also stands for
    /// a revision that always wants activators in the path.
    pub excess_burst: i64,
    /// Whether the revision is in panic: it never shrinks.
    pub panicking: bool,
    /// The rule that settled `wanted`.
    pub rule: Rule,
}

/// The rule that settled a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The load is unknown: the last number stands.
    NoData,
    /// Steady load over the target.
    Load,
    /// Sudden load over the target.
    PanicLoad,
    /// In panic nothing shrinks.
    PanicHold,
    /// Growth is limited by max-scale-up-rate.
    MaxScaleUpRate,
    /// Shrinking is limited by max-scale-down-rate.
    MaxScaleDownRate,
    /// The first load brings activation-scale pods.
    ActivationScale,
    /// The load has not been gone for scale-down-delay.
    ScaleDownDelay,
    /// Fewest pods.
    MinScale,
    /// First pods of a new revision.
    InitialScale,
    /// Most pods.
    MaxScale,
}

/// A number of pods and the rule it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Proposal {
    pods: u32,
    rule: Rule,
}

impl Memory {
    /// The memory of a revision that we begin to care for and that has `ready` pods. With more
    /// than one we start in panic: they were wanted by somebody who knew the load, and must not
    /// go before a whole stable window was seen.
    pub fn begin(spec: &Spec, ready: u32, now: Timestamp) -> Self {
        let capacity = f64::from(spec.bounds.initial) * spec.target.total;
        let excess_burst = match spec.burst {
            Burst::None => 0,
            Burst::Unlimited => -1,
            Burst::Capacity(burst) => (capacity - burst).floor() as i64,
        };
        Self {
            panic: Panic::Calm.begin(ready, now),
            delay: Delay::default(),
            by_load: None,
            excess_burst,
        }
    }

    /// The same memory after another replica decided: nothing that it brought up goes before a
    /// whole stable window was seen from here. Reports may have been lost with it.
    #[must_use]
    pub fn take_over(mut self, ready: u32, now: Timestamp) -> Self {
        self.panic = self.panic.begin(ready, now);
        self
    }
}

/// How many pods the revision should have at `now`. Same input, same answer.
pub fn decide(spec: &Spec, seen: &Snapshot, memory: Memory, now: Timestamp) -> (Decision, Memory) {
    let (proposal, memory) = match seen.load {
        None => (None, memory),
        Some(load) => {
            let (proposal, memory) = by_load(spec, seen.ready, load, memory, now);
            (Some(proposal), memory)
        }
    };
    let known = proposal.or_else(|| {
        memory.by_load.map(|pods| Proposal {
            pods,
            rule: Rule::NoData,
        })
    });
    let wanted = bounds::apply(spec, seen, known);
    let decision = Decision {
        wanted: wanted.map(|proposal| proposal.pods),
        by_load: memory.by_load,
        excess_burst: memory.excess_burst,
        panicking: memory.panic.is_on(),
        rule: wanted.map_or(Rule::NoData, |proposal| proposal.rule),
    };
    (decision, memory)
}

fn by_load(
    spec: &Spec,
    ready_now: u32,
    load: Load,
    mut memory: Memory,
    now: Timestamp,
) -> (Proposal, Memory) {
    let ready = ready_now.max(1);
    let (for_steady, for_sudden) = (pods_for(spec, load.stable), pods_for(spec, load.panic));
    let steady = limited(
        spec,
        ready,
        Proposal {
            pods: for_steady,
            rule: Rule::Load,
        },
    );
    let sudden = limited(
        spec,
        ready,
        Proposal {
            pods: for_sudden,
            rule: Rule::PanicLoad,
        },
    );
    let over = f64::from(for_sudden) / f64::from(ready) >= spec.panic_threshold;
    memory.panic = memory.panic.next(over, spec.stable_window, now);
    let mut proposal = memory.panic.bound(steady, sudden);
    if spec.reachable && !spec.scale_down_delay.is_zero() {
        proposal = memory.delay.bound(proposal, spec.scale_down_delay, now);
    }
    memory.by_load = Some(proposal.pods);
    memory.excess_burst = excess_burst(spec, ready_now, load.panic);
    (proposal, memory)
}

fn pods_for(spec: &Spec, load: f64) -> u32 {
    // `as` saturates, and a load that is not a number becomes zero pods.
    (load / spec.target.per_pod).ceil() as u32
}

/// `proposal` within the growth and shrink rates, and at least the activation scale. The ready
/// pods count, not the wanted ones: after halving, the next halving waits for pods to be gone.
fn limited(spec: &Spec, ready: u32, proposal: Proposal) -> Proposal {
    let ready = f64::from(ready);
    let most = (spec.max_scale_up_rate * ready).ceil() as u32;
    let least = if spec.reachable {
        (ready / spec.max_scale_down_rate).floor() as u32
    } else {
        0
    };
    let mut limited = proposal;
    if limited.pods < least {
        limited = Proposal {
            pods: least,
            rule: Rule::MaxScaleDownRate,
        };
    }
    if limited.pods > most {
        limited = Proposal {
            pods: most,
            rule: Rule::MaxScaleUpRate,
        };
    }
    let activation = spec.activation_scale;
    if activation > 1 && proposal.pods > 0 && activation > limited.pods {
        limited = Proposal {
            pods: activation,
            rule: Rule::ActivationScale,
        };
    }
    limited
}

/// Load that would still find room in the pods that are ready, by what they can carry at most.
fn excess_burst(spec: &Spec, ready: u32, panic_load: f64) -> i64 {
    match spec.burst {
        Burst::None => 0,
        Burst::Unlimited => -1,
        Burst::Capacity(burst) => {
            (f64::from(ready) * spec.target.total - burst - panic_load).floor() as i64
        }
    }
}

#[cfg(test)]
mod tests;
