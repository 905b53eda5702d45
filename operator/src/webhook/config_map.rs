//! Path `/config-validation`: whether a config map of the system may be written
//! (contract/control-plane 5).

use crds::config::{self, example};
use k8s_openapi::api::core::v1::ConfigMap;

use super::review::{Operation, Request, Verdict};

/// Refuses values that can't be read, and edits of the explanation.
pub(crate) fn validate(request: &Request) -> Verdict {
    if !request.writes() {
        return Verdict::allowed();
    }
    let object = request.object.clone().unwrap_or_default();
    let config_map: ConfigMap = match serde_json::from_value(object) {
        Ok(config_map) => config_map,
        Err(error) => return Verdict::denied(format!("decoding request failed: {error}")),
    };
    let data = config_map.data.unwrap_or_default();
    let annotations = config_map.metadata.annotations.unwrap_or_default();
    if request.operation == Operation::Update && !example::is_intact(&annotations, &data) {
        return Verdict::denied(format!("validation failed: {}", example::EDITED));
    }
    let name = config_map.metadata.name.unwrap_or_default();
    match config::check(&name, &data) {
        Ok(()) => Verdict::allowed(),
        Err(error) => Verdict::denied(format!("validation failed: {error}")),
    }
}
