//! Path `/config-validation`: whether a config map of the system may be written
//! (contract/control-plane 5).

use crds::config::{self, example};
use json_patch::Patch;
use k8s_openapi::api::core::v1::ConfigMap;

use super::review::{GroupVersionKind, Request, Verdict};

/// Refuses values that can't be read, and edits of the explanation. Maps that we do not
/// know may hold anything else.
pub(crate) fn validate(request: &Request) -> Verdict {
    if !request.writes() {
        return Verdict::allowed();
    }
    match judge(request) {
        Ok(warnings) => Verdict::Allowed {
            patch: Patch::default(),
            warnings,
        },
        Err(fault) => Verdict::denied(format!("validation failed: {fault}")),
    }
}

/// What the author should know of a map that may be written.
fn judge(request: &Request) -> Result<Vec<String>, String> {
    let GroupVersionKind {
        group,
        version,
        kind,
    } = &request.kind;
    if (group.as_str(), kind.as_str()) != ("", "ConfigMap") {
        return Err(format!("unhandled kind: {group}/{version}, Kind={kind}"));
    }
    let object = request.object.clone().unwrap_or_default();
    let config_map: ConfigMap = serde_json::from_value(object)
        .map_err(|fault| format!("cannot decode incoming new object: {fault}"))?;
    let name = config_map.metadata.name.unwrap_or_default();
    let data = config_map.data.unwrap_or_default();
    let annotations = config_map.metadata.annotations.unwrap_or_default();
    if !example::is_intact(&annotations, &data) {
        return Err(example::EDITED.to_owned());
    }
    config::check(&name, &data).map_err(|error| error.to_string())?;
    Ok(config::notes(&name, &data))
}
