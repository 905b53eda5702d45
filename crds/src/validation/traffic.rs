//! Rules of traffic (contract/control-plane 1.4).

use std::collections::BTreeMap;

use super::FieldErrors;
use super::names::{dns1035, listed, qualified};
use super::text::quoted;
use crate::route::TrafficTarget;

const NAMES: [&str; 2] = ["revisionName", "configurationName"];

/// Traffic of a Service: it has one Configuration, so none may be named.
pub(super) fn of_service(traffic: &[TrafficTarget]) -> FieldErrors {
    validate(traffic, |target| match target.configuration_name() {
        Some(_) => FieldErrors::disallowed(["configurationName"]),
        None => key(target.revision_name(), "revisionName"),
    })
}

/// Traffic of a Route: each share names either a Revision or a Configuration.
pub(super) fn of_route(traffic: &[TrafficTarget]) -> FieldErrors {
    validate(traffic, |target| {
        match (target.revision_name(), target.configuration_name()) {
            (Some(_), Some(_)) => FieldErrors::both(NAMES),
            (None, None) => FieldErrors::neither(NAMES),
            (name @ Some(_), None) => key(name, "revisionName"),
            (None, name @ Some(_)) => key(name, "configurationName"),
        }
    })
}

fn validate(
    traffic: &[TrafficTarget],
    names: impl Fn(&TrafficTarget) -> FieldErrors,
) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (index, target) in traffic.iter().enumerate() {
        let mut of_target = names(target);
        of_target.also(latest(target));
        of_target.also(share(target));
        errors.also(of_target.at_index("traffic", index));
    }
    errors.also(tags(traffic).at("traffic"));
    let sum = traffic
        .iter()
        .fold(0_i64, |sum, target| sum.wrapping_add(target.share()));
    if sum != 100 {
        errors.also(FieldErrors::new(
            format!("Traffic targets sum to {sum}, want 100"),
            ["traffic"],
        ));
    }
    errors
}

fn key(name: Option<&str>, path: &'static str) -> FieldErrors {
    let name = name.unwrap_or_default();
    let faults = qualified(name);
    if name.is_empty() || faults.is_empty() {
        return FieldErrors::none();
    }
    FieldErrors::invalid_key(name, path).details(faults.join(", "))
}

fn latest(target: &TrafficTarget) -> FieldErrors {
    let name = target.revision_name();
    match target.latest_revision {
        Some(latest) if latest == name.is_some() => FieldErrors::new(
            format!(
                "may not set revisionName {} when latestRevision is {latest}",
                quoted(name.unwrap_or_default())
            ),
            ["latestRevision"],
        ),
        _ => FieldErrors::none(),
    }
}

fn share(target: &TrafficTarget) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let share = target.share();
    if !(0..=100).contains(&share) {
        errors.also(FieldErrors::out_of_bounds(share, 0, 100, "percent"));
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
            errors.also(FieldErrors::invalid(text, format!("tag[{index}]")));
        }
        let earlier = *first.entry(tag).or_insert(index);
        if earlier != index {
            errors.also(FieldErrors::new(
                format!("Multiple definitions for {}", quoted(tag)),
                [earlier, index].map(|index| format!("[{index}].tag")),
            ));
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
