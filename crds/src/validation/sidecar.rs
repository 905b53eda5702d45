//! Annotations that size the sidecar (contract/control-plane 1.5).

use std::collections::BTreeMap;

use super::FieldErrors;
use crate::quantity;

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
        annotations.get(&key).map(|value| (key, value.as_str()))
    };
    let mut errors: FieldErrors = RESOURCES
        .into_iter()
        .filter_map(get)
        .filter(|(_, value)| quantity::value(value).is_none())
        .map(|(key, value)| FieldErrors::invalid(value, key))
        .collect();
    if let Some((key, value)) = PERCENTAGE.into_iter().find_map(get) {
        errors.also(percentage(value).at(&format!("[{key}]")));
    }
    errors
}

fn percentage(value: &str) -> FieldErrors {
    let mut errors = match value.parse::<f64>() {
        Err(_) => FieldErrors::invalid(value, ""),
        Ok(share) if !(0.1..=100.0).contains(&share) => {
            FieldErrors::out_of_bounds(value, 0.1, 100, "")
        }
        Ok(_) => FieldErrors::none(),
    };
    errors.also(
        FieldErrors::new(
            "Queue proxy resource-percentage annotation is deprecated. Please use the available annotations to explicitly set resource values per service",
            [""],
        )
        .as_warnings(),
    );
    errors
}
