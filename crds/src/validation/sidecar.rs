//! Annotations that size the sidecar (contract/control-plane 1.5).

use std::collections::BTreeMap;

use super::FieldErrors;
use super::text::float;
use crate::{annotation, quantity};

const GROUP: &str = "queue.sidecar.serving.knative.dev";
const RESOURCES: [&str; 6] = [
    "cpu-resource-request",
    "cpu-resource-limit",
    "memory-resource-request",
    "memory-resource-limit",
    "ephemeral-storage-resource-request",
    "ephemeral-storage-resource-limit",
];
const PERCENTAGE: [&str; 2] = ["resource-percentage", "resourcePercentage"];

pub(super) fn resources(annotations: &BTreeMap<String, String>) -> FieldErrors {
    let get = |name: &str| {
        let key = format!("{GROUP}/{name}");
        let value = annotations.get(&key)?;
        Some((format!("[{key}]"), value.as_str()))
    };
    let mut errors: FieldErrors = RESOURCES
        .into_iter()
        .filter_map(get)
        .filter(|(_, value)| quantity::value(value).is_none())
        .map(|(path, value)| FieldErrors::invalid(value, path))
        .collect();
    if let Some((path, value)) = PERCENTAGE.into_iter().find_map(get) {
        errors.also(percentage(value, path));
    }
    errors
}

fn percentage(value: &str, path: String) -> FieldErrors {
    let mut errors = match annotation::float(value) {
        None => FieldErrors::invalid(value, path),
        Some(share) if !share.is_nan() && !(0.1..=100.0).contains(&share) => {
            FieldErrors::out_of_bounds(float(share), 0.1, 100, path)
        }
        Some(_) => FieldErrors::none(),
    };
    errors.also(
        FieldErrors::plain(
            "Queue proxy resource percentage annotation is deprecated. Please use the available annotations to explicitly set resource values per service",
        )
        .as_warnings(),
    );
    errors
}
