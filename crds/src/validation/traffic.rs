//! Rules of traffic (contract/control-plane 1.4).

use std::collections::BTreeMap;

use super::FieldErrors;
use super::names::{dns1035, is_qualified, listed};
use crate::route::TrafficTarget;

/// Traffic of a Service: it has one Configuration, so none may be named.
pub(super) fn of_service(traffic: &[TrafficTarget]) -> FieldErrors {
    validate(traffic, |target| match target.configuration_name() {
        Some(_) => FieldErrors::disallowed(["configurationName"]),
        None => FieldErrors::none(),
    })
}

/// Traffic of a Route: each share names either a Revision or a Configuration.
pub(super) fn of_route(traffic: &[TrafficTarget]) -> FieldErrors {
    let names = ["revisionName", "configurationName"];
    validate(traffic, |target| {
        match (target.revision_name(), target.configuration_name()) {
            (Some(_), Some(_)) => FieldErrors::both(names),
            (None, None) => FieldErrors::neither(names),
            (Some(_), None) | (None, Some(_)) => FieldErrors::none(),
        }
    })
}

fn validate(
    traffic: &[TrafficTarget],
    kind: impl Fn(&TrafficTarget) -> FieldErrors,
) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (index, target) in traffic.iter().enumerate() {
        let mut of_target = kind(target);
        of_target.also(names(target));
        of_target.also(latest(target));
        of_target.also(share(target));
        errors.also(of_target.at_index("traffic", index));
    }
    errors.also(tags(traffic));
    let sum = traffic
        .iter()
        .fold(0_i64, |sum, target| sum.saturating_add(target.share()));
    if sum != 100 {
        errors.also(FieldErrors::new(
            format!("Traffic targets sum to {sum}, want 100"),
            ["traffic"],
        ));
    }
    errors
}

fn names(target: &TrafficTarget) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (name, path) in [
        (target.revision_name(), "revisionName"),
        (target.configuration_name(), "configurationName"),
    ] {
        if let Some(name) = name.filter(|name| !is_qualified(name)) {
            errors.also(FieldErrors::invalid_key(name, path));
        }
    }
    errors
}

fn latest(target: &TrafficTarget) -> FieldErrors {
    let name = target.revision_name();
    match (target.latest_revision, name) {
        (Some(latest), name) if latest == name.is_some() => FieldErrors::new(
            format!(
                "may not set revisionName {:?} when latestRevision is {latest}",
                name.unwrap_or_default()
            ),
            ["latestRevision"],
        ),
        _ => FieldErrors::none(),
    }
}

fn share(target: &TrafficTarget) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if !(0..=100).contains(&target.share()) {
        errors.also(FieldErrors::out_of_bounds(
            target.share(),
            0,
            100,
            "percent",
        ));
    }
    if target.url.as_deref().is_some_and(|url| !url.is_empty()) {
        errors.also(FieldErrors::disallowed(["url"]));
    }
    errors
}

fn tags(traffic: &[TrafficTarget]) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, target) in traffic.iter().enumerate() {
        let Some(tag) = target.tag.as_deref().filter(|tag| !tag.is_empty()) else {
            continue;
        };
        let faults = dns1035(tag);
        if !faults.is_empty() {
            let text = format!("not a DNS 1035 label: {}", listed(&faults));
            errors.also(FieldErrors::invalid(text, "tag").at_index("traffic", index));
        }
        match first.get(tag) {
            Some(earlier) => errors.also(FieldErrors::new(
                format!("Multiple definitions for {tag:?}"),
                [
                    format!("traffic[{earlier}].tag"),
                    format!("traffic[{index}].tag"),
                ],
            )),
            None => {
                first.insert(tag, index);
            }
        }
    }
    errors
}

impl TrafficTarget {
    fn share(&self) -> i64 {
        self.percent.unwrap_or(0)
    }

    fn revision_name(&self) -> Option<&str> {
        self.revision_name
            .as_deref()
            .filter(|name| !name.is_empty())
    }

    fn configuration_name(&self) -> Option<&str> {
        self.configuration_name
            .as_deref()
            .filter(|name| !name.is_empty())
    }
}
