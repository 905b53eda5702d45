use std::path::PathBuf;

use serde_json::Value;

use super::{crds, file_name};

fn checked_in(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/core/300-resources");
    std::fs::read_to_string(folder.join(file)).unwrap_or_default()
}

#[test]
fn checked_in_crds_are_the_generated_ones() {
    for crd in crds() {
        let file = file_name(&crd);
        let yaml = serde_yaml::to_string(&crd).unwrap();
        assert!(
            checked_in(&file) == yaml,
            "{file} is old: cargo run -p crds --bin crdgen"
        );
    }
}

#[test]
fn crds_fit_a_last_applied_annotation() {
    for crd in crds() {
        let json = serde_json::to_string(&crd).unwrap().len();
        let yaml = serde_yaml::to_string(&crd).unwrap().len();
        assert!(
            json < 262_144 && yaml < 200_000,
            "{}: {json} {yaml}",
            file_name(&crd)
        );
    }
}

#[test]
fn exactly_one_version_is_stored() {
    for crd in crds() {
        let versions = crd["spec"]["versions"].as_array().unwrap();
        let stored = versions.iter().filter(|version| version["storage"] == true);
        assert_eq!(stored.count(), 1, "{}", file_name(&crd));
        assert!(
            versions
                .iter()
                .all(|v| v["subresources"].get("scale").is_none())
        );
    }
}

/// What the API server wants of a structural schema, as far as ours could break it.
fn check_structural(path: &str, schema: &Value) {
    for forbidden in [
        "$ref",
        "definitions",
        "oneOf",
        "anyOf",
        "allOf",
        "not",
        "nullable",
        "const",
    ] {
        assert!(schema.get(forbidden).is_none(), "{path} has {forbidden}");
    }
    let open = schema.get("x-kubernetes-int-or-string").is_some();
    assert!(open || schema["type"].is_string(), "{path} has no type");
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, field) in properties.into_iter().flatten() {
        check_structural(&format!("{path}.{name}"), field);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner_schema) = schema.get(inner) {
            check_structural(&format!("{path}[{inner}]"), inner_schema);
        }
    }
    for key in schema["x-kubernetes-list-map-keys"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let items = &schema["items"];
        let required = items["required"]
            .as_array()
            .is_some_and(|list| list.contains(key));
        let default = items["properties"][key.as_str().unwrap()]
            .get("default")
            .is_some();
        assert!(required || default, "{path}: key {key} may be missing");
    }
}

#[test]
fn schemas_are_structural() {
    for crd in crds() {
        for version in crd["spec"]["versions"].as_array().unwrap() {
            check_structural(&file_name(&crd), &version["schema"]["openAPIV3Schema"]);
        }
    }
}

#[test]
fn fields_that_no_revision_may_have_are_pruned() {
    let service = serde_json::to_string(&crds()[0]).unwrap();
    for field in [
        "lifecycle",
        "stdin",
        "stdinOnce",
        "tty",
        "hostPort",
        "volumeDevices",
    ] {
        assert!(!service.contains(&format!("\"{field}\":")), "{field}");
    }
}
