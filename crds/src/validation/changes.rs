//! What changed between two specs, for people: each value that differs with its path, in the
//! names that the peer uses (`{v1.RevisionSpec}.PodSpec.Containers[0].Image`).
//!
//! The peer prints values as Go does: whole structs with all their empty fields, and addresses
//! where it means numbers. Here a value is what its author wrote.

mod name;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::defaulting::canonical;
use crate::revision::{RevisionSpec, RevisionTemplate};

static UNSAID: Value = Value::Null;

/// What changed in a spec; nothing if nothing did. Both are in canonical form.
pub(super) fn of_spec(old: &RevisionSpec, new: &RevisionSpec) -> Option<String> {
    between(old, new, "{v1.RevisionSpec}", "spec")
}

/// What changed in a template; nothing if nothing did. Both are in canonical form.
pub(super) fn of_template(old: &RevisionTemplate, new: &RevisionTemplate) -> Option<String> {
    between(old, new, "{*v1.RevisionTemplateSpec}", "template")
}

fn between<S: PartialEq + Serialize>(old: &S, new: &S, root: &str, field: &str) -> Option<String> {
    if old == new {
        return None;
    }
    let (Ok(old), Ok(new)) = (serde_json::to_value(old), serde_json::to_value(new)) else {
        return None;
    };
    let mut text = String::new();
    let place = Place { path: root, field };
    compare(place, &old, &new, &mut text);
    (!text.is_empty()).then_some(text)
}

/// Where a value stands: its path, and the field that it or the list around it belongs to.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    field: &'a str,
}

fn compare(place: Place<'_>, old: &Value, new: &Value, text: &mut String) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if name::is_map(place.field) => {
            entries(place, old, new, text);
        }
        (Value::Object(old), Value::Object(new)) => fields(place, old, new, text),
        (Value::Array(old), Value::Array(new)) => items(place, old, new, text),
        (Value::String(_) | Value::Number(_), Value::String(_) | Value::Number(_))
            if name::is_port(place.path) =>
        {
            port(place.path, old, new, text);
        }
        _ if canonical::equal(place.field, old, new) => {}
        _ => values(place, old, new, text),
    }
}

fn fields(place: Place<'_>, old: &Map<String, Value>, new: &Map<String, Value>, text: &mut String) {
    let added = new.keys().filter(|field| !old.contains_key(*field));
    let mut names: Vec<&String> = old.keys().chain(added).collect();
    names.sort_by_cached_key(|field| name::rank(place.field, field));
    for field in names {
        let (old, new) = (old.get(field), new.get(field));
        if old == new {
            continue;
        }
        let path = format!("{}.{}", place.path, name::in_go(place.field, field));
        let inner = Place { path: &path, field };
        compare(inner, old.unwrap_or(&UNSAID), new.unwrap_or(&UNSAID), text);
    }
}

/// Entries of a map whose keys are the author's.
fn entries(
    place: Place<'_>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    text: &mut String,
) {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    let mut keys: Vec<&String> = old.keys().chain(added).collect();
    keys.sort_unstable();
    for key in keys {
        let (old, new) = (old.get(key), new.get(key));
        let same = |old, new| canonical::equal(place.field, old, new);
        if old.zip(new).is_some_and(|(old, new)| same(old, new)) {
            continue;
        }
        let path = format!("{}[{key:?}]", place.path);
        change(&path, place.field, old, new, text);
    }
}

/// Items of a list. Those at both ends that are the same are passed over.
fn items(place: Place<'_>, old: &[Value], new: &[Value], text: &mut String) {
    let same = |(old, new): &(&Value, &Value)| canonical::equal(place.field, old, new);
    let head = old.iter().zip(new).take_while(same).count();
    let rest = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = rest.take_while(same).count();
    let (removed, added) = (head..old.len() - tail, head..new.len() - tail);
    for index in head..removed.end.max(added.end) {
        let at = |text: &str| format!("{}[{text}]", place.path);
        match (removed.contains(&index), added.contains(&index)) {
            (true, true) => {
                let path = at(&index.to_string());
                let inner = Place {
                    path: &path,
                    ..place
                };
                compare(inner, &old[index], &new[index], text);
            }
            (true, false) => {
                let path = at(&format!("{index}->?"));
                change(&path, place.field, Some(&old[index]), None, text);
            }
            (false, _) => {
                let path = at(&format!("?->{index}"));
                change(&path, place.field, None, Some(&new[index]), text);
            }
        }
    }
}

/// A port that is a number or a name.
fn port(path: &str, old: &Value, new: &Value, text: &mut String) {
    for part in ["Type", "IntVal", "StrVal"] {
        let value = |port: &Value| match part {
            "Type" => Value::from(u8::from(port.is_string())),
            "IntVal" => Value::from(port.as_i64().unwrap_or(0)),
            _ => Value::from(port.as_str().unwrap_or_default()),
        };
        let (old, new) = (value(old), value(new));
        if old != new {
            change(&format!("{path}.{part}"), "", Some(&old), Some(&new), text);
        }
    }
}

/// Values that are no longer of the same kind, or single ones.
fn values(place: Place<'_>, old: &Value, new: &Value, text: &mut String) {
    let optional = name::is_optional(place.field);
    let both = !old.is_null() && !new.is_null();
    let star = if optional && both { "*" } else { "" };
    let path = format!("{star}{}", place.path);
    let unsaid = |other: &Value| match other {
        _ if optional => Value::from("<nil>"),
        Value::Bool(_) => Value::from(false),
        Value::Number(_) => Value::from(0),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(_) if name::is_map(place.field) => Value::Object(Map::new()),
        Value::Object(_) => Value::from("nil"),
        Value::String(_) | Value::Null => Value::from(""),
    };
    let old_or_zero = if old.is_null() { &unsaid(new) } else { old };
    let new_or_zero = if new.is_null() { &unsaid(old) } else { new };
    change(
        &path,
        place.field,
        Some(old_or_zero),
        Some(new_or_zero),
        text,
    );
}

/// One change. What `field` holds is told where one side is missing altogether.
fn change(path: &str, field: &str, old: Option<&Value>, new: Option<&Value>, text: &mut String) {
    text.push_str(path);
    text.push_str(":\n");
    let kind = match (old, new) {
        (Some(_), Some(_)) => "",
        _ => name::of_item(field),
    };
    let separator = if kind.is_empty() { "" } else { ": " };
    for (sign, value) in [('-', old), ('+', new)] {
        if let Some(value) = value {
            let shown = name::shown(field, value);
            text.push_str(&format!("\t{sign}: {kind}{separator}\"{shown}\"\n"));
        }
    }
}

#[cfg(test)]
mod tests;
