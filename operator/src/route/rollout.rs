//! Gradual rollout: a new latest Revision gets its traffic in steps (contract/control-plane 4.8).
//!
//! ```text
//! new Revision ready ─► it gets 1 % ─► Ingress answers so ─► step size and pace are chosen
//!                                                                   │ every stepDuration
//!                              older ones at 0 % ◄─ done ◄── stepSize % more to the newest
//! ```
//!
//! The state lives in an annotation of the Ingress, so any replica of the operator can go on. All
//! functions are pure; times are nanoseconds since the epoch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000_000;

/// The rollouts of one Route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rollout {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) configurations: Vec<ConfigurationRollout>,
}

/// How the share of one Configuration falls on its Revisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigurationRollout {
    pub(super) configuration_name: String,
    /// Empty for the Route itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) tag: String,
    /// Share of the Configuration, 1 to 100: the sum over the Revisions.
    pub(super) percent: i64,
    /// Oldest first; the last one is where the rollout goes.
    pub(super) revisions: Vec<RevisionShare>,
    #[serde(default)]
    pub(super) step_params: StepParams,
}

/// Share of one Revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevisionShare {
    pub(super) revision_name: String,
    pub(super) percent: i64,
}

/// Pace of a rollout; all zero when none is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepParams {
    /// When the newest Revision got its first percent.
    #[serde(default, rename = "starttime", skip_serializing_if = "is_zero")]
    pub(super) start_time: i64,
    /// When the next step is due.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) next_step_time: i64,
    /// Time between two steps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) step_duration: i64,
    /// Percents that move in one step.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) step_size: i64,
}

/// When a pass happens, and what it may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Nanoseconds since the epoch.
    pub(super) now: i64,
    /// Length of a rollout; zero is off.
    pub(super) duration: Duration,
    /// Whether the Ingress answers with the shares as they stand.
    pub(super) is_ingress_ready: bool,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl Rollout {
    /// The state in an annotation; nothing when it can't be read or does not add up.
    pub(super) fn read(annotation: &str) -> Option<Self> {
        let rollout: Self = serde_json::from_str(annotation).ok()?;
        rollout
            .configurations
            .iter()
            .all(ConfigurationRollout::adds_up)
            .then_some(rollout)
    }

    /// The state as the annotation has it.
    pub(super) fn write(&self) -> String {
        // Strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Where `goal`, in which every Configuration has one Revision only, is reached from
    /// `previous` at this moment.
    pub(super) fn towards(goal: Self, previous: Option<&Self>, moment: Moment) -> Self {
        let Some(previous) = previous.filter(|_| !moment.duration.is_zero()) else {
            return goal;
        };
        let step = |goal: ConfigurationRollout| match previous.find(&goal) {
            Some(previous) => previous.clone().step(goal, moment),
            None => goal,
        };
        Self {
            configurations: goal.configurations.into_iter().map(step).collect(),
        }
    }

    /// Without Revisions that no longer exist: their share goes to the newest.
    pub(super) fn retain(mut self, exists: impl Fn(&str) -> bool) -> Self {
        for configuration in &mut self.configurations {
            let newest = configuration.newest().map(str::to_owned);
            configuration.revisions.retain(|it| {
                Some(&it.revision_name) == newest.as_ref() || exists(&it.revision_name)
            });
            configuration.fit();
        }
        self
    }

    /// Whether an older Revision still has traffic.
    pub(super) fn is_under_way(&self) -> bool {
        self.configurations.iter().any(|it| it.revisions.len() > 1)
    }

    /// When the next step is due, if one is.
    pub(super) fn next_step(&self) -> Option<i64> {
        let under_way = self
            .configurations
            .iter()
            .filter(|it| it.revisions.len() > 1);
        under_way
            .map(|it| it.step_params.next_step_time)
            .filter(|time| *time > 0)
            .min()
    }

    /// The shares of one Configuration under one tag.
    pub(super) fn of(&self, configuration: &str, tag: &str) -> Option<&ConfigurationRollout> {
        let of =
            |it: &&ConfigurationRollout| it.configuration_name == configuration && it.tag == tag;
        self.configurations.iter().find(of)
    }

    fn find(&self, like: &ConfigurationRollout) -> Option<&ConfigurationRollout> {
        self.of(&like.configuration_name, &like.tag)
    }
}

impl ConfigurationRollout {
    fn adds_up(&self) -> bool {
        let shares = || self.revisions.iter().map(|it| it.percent);
        let in_range = |percent: i64| (1..=100).contains(&percent);
        in_range(self.percent)
            && shares().all(in_range)
            && self.revisions.len() <= 100
            && shares().sum::<i64>() == self.percent
    }

    fn newest(&self) -> Option<&str> {
        self.revisions.last().map(|it| it.revision_name.as_str())
    }

    /// One pass on the way to `goal`.
    fn step(mut self, goal: Self, moment: Moment) -> Self {
        if goal.percent <= 1 {
            return goal;
        }
        self.percent = goal.percent;
        self.fit();
        if self.newest() != goal.newest() {
            return self.begin(goal, moment.now);
        }
        if self.revisions.len() == 1 {
            return goal;
        }
        let pace = self.step_params;
        if pace.step_size == 0 && moment.is_ingress_ready {
            self.step_params = pace.chosen(self.percent, moment);
        } else if pace.step_size > 0 && moment.now >= pace.next_step_time {
            self.advance(pace.step_size);
            self.step_params.next_step_time = moment.now.saturating_add(pace.step_duration);
        }
        if self.revisions.len() == 1 {
            goal
        } else {
            self
        }
    }

    /// The newest Revision of `goal` gets its first percent.
    fn begin(mut self, goal: Self, now: i64) -> Self {
        let Some(new) = goal.revisions.into_iter().next_back() else {
            return self;
        };
        // A rollback: what it has already, it keeps.
        let had = self
            .revisions
            .iter()
            .position(|it| it.revision_name == new.revision_name);
        let had = had.map_or(0, |at| self.revisions.remove(at).percent);
        self.revisions.push(RevisionShare {
            percent: had,
            ..new
        });
        if had == 0 {
            self.advance(1);
        }
        self.step_params = StepParams {
            start_time: now,
            ..StepParams::default()
        };
        self
    }

    /// Moves `size` percents to the newest Revision, from the next older ones first.
    fn advance(&mut self, size: i64) {
        let Some(mut newest) = self.revisions.pop() else {
            return;
        };
        let mut wanted = size;
        for older in self.revisions.iter_mut().rev() {
            let taken = older.percent.min(wanted);
            older.percent -= taken;
            newest.percent += taken;
            wanted -= taken;
        }
        self.revisions.retain(|it| it.percent > 0);
        self.revisions.push(newest);
    }

    /// Makes the shares add up after the share of the Configuration has changed: what is added
    /// goes to the newest, what is missing is taken from the oldest.
    fn fit(&mut self) {
        let sum: i64 = self.revisions.iter().map(|it| it.percent).sum();
        if let Some(newest) = self.revisions.last_mut() {
            newest.percent += (self.percent - sum).max(0);
        }
        let mut excess = (sum - self.percent).max(0);
        for share in &mut self.revisions {
            let taken = share.percent.min(excess);
            share.percent -= taken;
            excess -= taken;
        }
        self.revisions.retain(|it| it.percent > 0);
    }
}

impl StepParams {
    /// Size and pace for a rollout whose first percent took from `start_time` until now to arrive:
    /// a step can't be shorter than that.
    fn chosen(self, percent: i64, moment: Moment) -> Self {
        let duration = i64::try_from(moment.duration.as_secs()).unwrap_or(i64::MAX);
        let elapsed = moment.now.saturating_sub(self.start_time).max(0);
        let shortest = (elapsed.div_euclid(SECOND) + i64::from(elapsed % SECOND > 0)).max(1);
        let rest = duration.saturating_sub(shortest).max(1);
        let left = (percent - 1).max(1);
        let steps = (rest / shortest).max(1).min(left);
        let step_duration = rest.saturating_mul(SECOND) / steps;
        Self {
            // To the nearest whole percent.
            step_size: (left + steps / 2) / steps,
            step_duration,
            next_step_time: moment.now.saturating_add(step_duration),
            ..self
        }
    }
}
