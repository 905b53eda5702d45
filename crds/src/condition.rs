//! Conditions: what a controller concluded, and how Ready follows (contract/control-plane 0.4, 0.5).
//!
//! Controllers compute a [`Verdicts`] afresh on every pass and [`merge`] it into what is stored;
//! nobody reads its own condition to decide. Ready is derived, never set.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name of the condition that sums up the others.
pub const READY: &str = "Ready";

/// One condition as it stands in a status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about, for example Ready.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// Empty when the condition counts for Ready, Info when it does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// When the condition changed last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// One word for machines: why the status is as it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A sentence for people: why the status is as it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What a controller found out about one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It holds, and the reader should know more (`CertificateProvisioned`: `TLSNotEnabled`).
    TrueBecause(String, String),
    /// It does not hold: reason, message.
    False(String, String),
    /// Not known yet: reason, message. Both may be empty.
    Unknown(String, String),
}

impl Truth {
    /// False with `reason` and `message`.
    pub fn no(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::False(reason.into(), message.into())
    }

    /// Unknown with `reason` and `message`.
    pub fn unknown(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unknown(reason.into(), message.into())
    }

    /// Whether it is known to hold.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::True | Self::TrueBecause(..))
    }

    /// Whether it is known not to hold.
    pub fn is_false(&self) -> bool {
        matches!(self, Self::False(..))
    }

    /// The truth that `condition` says; a missing condition is Unknown without a reason.
    pub fn of(condition: Option<&Condition>) -> Self {
        let Some(condition) = condition else {
            return Self::unknown("", "");
        };
        let (reason, message) = (condition.reason.clone(), condition.message.clone());
        match condition.status.as_str() {
            "True" if reason.is_empty() && message.is_empty() => Self::True,
            "True" => Self::TrueBecause(reason, message),
            "False" => Self::False(reason, message),
            _ => Self::Unknown(reason, message),
        }
    }

    fn parts(&self) -> (&'static str, &str, &str) {
        match self {
            Self::True => ("True", "", ""),
            Self::TrueBecause(reason, message) => ("True", reason, message),
            Self::False(reason, message) => ("False", reason, message),
            Self::Unknown(reason, message) => ("Unknown", reason, message),
        }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, reason, message) = self.parts();
        write!(f, "{status}")?;
        if !reason.is_empty() {
            write!(f, " {reason}")?;
        }
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

/// All that one pass concluded: the conditions that Ready depends on, in order of weight (the
/// first False, else the first Unknown, gives Ready its text), and those for information only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    dependents: Vec<(&'static str, Truth)>,
    infos: Vec<(&'static str, Truth)>,
    alarms: Vec<(&'static str, Option<(String, String)>)>,
    alone: Option<Truth>,
}

impl Verdicts {
    /// Ready follows from `dependents`.
    pub fn of(dependents: Vec<(&'static str, Truth)>) -> Self {
        Self {
            dependents,
            ..Self::default()
        }
    }

    /// A kind whose only condition is Ready (Configuration).
    pub fn only_ready(ready: Truth) -> Self {
        Self {
            alone: Some(ready),
            ..Self::default()
        }
    }

    /// Adds a condition that does not count for Ready.
    #[must_use]
    pub fn with_info(mut self, name: &'static str, truth: Truth) -> Self {
        self.infos.push((name, truth));
        self
    }

    /// Adds a condition that is there only while there is something to tell (reason, message), and
    /// is then True: tools that judge every condition take no offence at it. It does not count for
    /// Ready.
    #[must_use]
    pub fn with_alarm(mut self, name: &'static str, told: Option<(String, String)>) -> Self {
        self.alarms.push((name, told));
        self
    }

    /// Ready: False if one dependent is False, else Unknown if one is, else True.
    pub fn ready(&self) -> Truth {
        if let Some(alone) = &self.alone {
            return alone.clone();
        }
        let worst = |pick: fn(&Truth) -> bool| {
            self.dependents
                .iter()
                .map(|(_, truth)| truth)
                .find(|truth| pick(truth))
                .cloned()
        };
        worst(Truth::is_false)
            .or_else(|| worst(|truth| !truth.is_true()))
            .unwrap_or(Truth::True)
    }

    /// The list to store: sorted by type; a condition that did not change keeps its time, all
    /// that changed get `now`; conditions of others stay.
    pub fn merge(&self, old: &[Condition], now: Timestamp) -> Vec<Condition> {
        let mut merged: BTreeMap<&str, Condition> = old
            .iter()
            .map(|condition| (condition.type_.as_str(), condition.clone()))
            .collect();
        let ready = self.ready();
        let counted = self
            .dependents
            .iter()
            .map(|(name, truth)| (*name, truth, ""));
        let infos = self
            .infos
            .iter()
            .map(|(name, truth)| (*name, truth, "Info"));
        for (name, told) in &self.alarms {
            let Some((reason, message)) = told else {
                merged.remove(name);
                continue;
            };
            let truth = Truth::TrueBecause(reason.clone(), message.clone());
            merged.insert(name, stored(name, &truth, "Info", find(old, name), now));
        }
        for (name, truth, severity) in counted.chain(infos).chain([(READY, &ready, "")]) {
            merged.insert(name, stored(name, truth, severity, find(old, name), now));
        }
        merged.into_values().collect()
    }
}

fn stored(
    name: &str,
    truth: &Truth,
    severity: &str,
    old: Option<&Condition>,
    now: Timestamp,
) -> Condition {
    let (status, reason, message) = truth.parts();
    let fresh = Condition {
        type_: name.to_owned(),
        status: status.to_owned(),
        severity: severity.to_owned(),
        last_transition_time: old.and_then(|old| old.last_transition_time.clone()),
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    match old {
        Some(old) if *old == fresh && old.last_transition_time.is_some() => fresh,
        _ => Condition {
            last_transition_time: Some(Time(whole_seconds(now))),
            ..fresh
        },
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The condition of that type.
pub fn find<'a>(conditions: &'a [Condition], name: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == name)
}

/// Whether the controller has seen `generation` and found it ready (contract/control-plane 0.5).
pub fn is_ready(conditions: &[Condition], observed: Option<i64>, generation: Option<i64>) -> bool {
    observed == generation && Truth::of(find(conditions, READY)).is_true()
}

/// Whether the controller has seen `generation` and found it failed (contract/control-plane 0.5).
pub fn is_failed(conditions: &[Condition], observed: Option<i64>, generation: Option<i64>) -> bool {
    observed == generation && Truth::of(find(conditions, READY)).is_false()
}

#[cfg(test)]
mod tests {
    use super::{Truth, Verdicts};
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn ready_takes_the_text_of_the_first_failure() {
        let verdicts = Verdicts::of(vec![
            ("A", Truth::unknown("Waiting", "a waits")),
            ("B", Truth::no("Broken", "b is broken")),
        ]);
        assert_eq!(verdicts.ready(), Truth::no("Broken", "b is broken"));
        assert_eq!(Verdicts::of(vec![("A", Truth::True)]).ready(), Truth::True);
    }

    #[test]
    fn information_does_not_count_for_ready() {
        let verdicts =
            Verdicts::of(vec![("A", Truth::True)]).with_info("Active", Truth::no("NoTraffic", ""));
        assert_eq!(verdicts.ready(), Truth::True);
        let stored = verdicts.merge(&[], at(1));
        let severities: Vec<_> = stored.iter().map(|c| (&*c.type_, &*c.severity)).collect();
        assert_eq!(severities, [("A", ""), ("Active", "Info"), ("Ready", "")]);
    }

    #[test]
    fn an_alarm_stands_only_while_there_is_something_to_tell() {
        let verdicts = |told: Option<&str>| {
            let told = told.map(|reason| (reason.to_owned(), "why".to_owned()));
            Verdicts::of(vec![("A", Truth::True)]).with_alarm("Burning", told)
        };
        let alarmed = verdicts(Some("Fire")).merge(&[], at(1));
        let burning = super::find(&alarmed, "Burning").unwrap();
        assert_eq!(Truth::of(Some(burning)).to_string(), "True Fire: why");
        assert_eq!(burning.severity, "Info");
        assert_eq!(verdicts(Some("Fire")).ready(), Truth::True);
        let over = verdicts(None).merge(&alarmed, at(2));
        assert_eq!(super::find(&over, "Burning"), None);
    }

    #[test]
    fn times_move_only_with_a_change() {
        let first = Verdicts::of(vec![("A", Truth::True), ("B", Truth::unknown("W", ""))]);
        let old = first.merge(&[], at(1));
        let second = Verdicts::of(vec![("A", Truth::True), ("B", Truth::True)]);
        let new = second.merge(&old, at(9));
        let times: Vec<_> = new
            .iter()
            .map(|c| c.last_transition_time.as_ref().unwrap().0.as_second())
            .collect();
        assert_eq!(times, [1, 9, 9]);
        assert_eq!(second.merge(&new, at(20)), new);
    }
}
