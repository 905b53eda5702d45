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

/// `kubectl apply` keeps the whole object in one annotation; all annotations together may have 256 KiB.
#[test]
fn a_crd_has_less_than_200_kilobytes() {
    for crd in crds() {
        let yaml = serde_yaml::to_string(&crd).unwrap().len();
        assert!(yaml < 200_000, "{}: {yaml}", file_name(&crd));
    }
}

/// The schema of each version of each CRD.
fn schemas() -> Vec<(String, Value)> {
    let of = |crd: Value| {
        let versions = crd["spec"]["versions"].as_array().cloned().unwrap();
        let schemas = versions.into_iter().map(|mut version| {
            let name = format!("{} {}", file_name(&crd), version["name"]);
            (name, version["schema"]["openAPIV3Schema"].take())
        });
        schemas.collect::<Vec<_>>()
    };
    crds().into_iter().flat_map(of).collect()
}

/// Calls `look` with every schema inside of `schema`, itself included, and the path to it.
fn walk(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, field) in properties.into_iter().flatten() {
        walk(&format!("{path}.{name}"), field, look);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner_schema) = schema.get(inner) {
            walk(&format!("{path}[]"), inner_schema, look);
        }
    }
}

/// What `kubectl explain` has to say. Only Kubernetes may describe the metadata of an object.
#[test]
fn every_field_has_a_description() {
    for (name, schema) in schemas() {
        walk(&name, &schema, &mut |path, field| {
            let text = field["description"].as_str().unwrap_or_default();
            let exempt = path.ends_with("[]") || path == format!("{name}.metadata");
            assert!(exempt || text.len() > 9, "{path}: {text:?}");
        });
    }
}

fn without_descriptions(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let told = |(key, value): (&String, &Value)| key != "description" || !value.is_string();
            let kept = fields.iter().filter(|entry| told(*entry));
            let kept = kept.map(|(key, value)| (key.clone(), without_descriptions(value)));
            Value::Object(kept.collect())
        }
        Value::Array(entries) => entries.iter().map(without_descriptions).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_older_version_differs_in_its_name_only() {
    let twins: Vec<Value> = crds()
        .into_iter()
        .filter(|crd| crd["spec"]["versions"].as_array().unwrap().len() == 2)
        .collect();
    let kinds: Vec<_> = twins
        .iter()
        .map(|crd| &crd["spec"]["names"]["kind"])
        .collect();
    assert_eq!(kinds, ["Service", "Configuration", "Revision", "Route"]);
    for crd in &twins {
        let [stored, older] = [0, 1].map(|at| &crd["spec"]["versions"][at]);
        assert_eq!([&stored["name"], &older["name"]], ["v1", "v1alpha1"]);
        let marks = [
            &stored["deprecated"],
            &older["deprecated"],
            &older["served"],
        ];
        assert_eq!(
            marks,
            [&Value::Null, &Value::Bool(true), &Value::Bool(true)]
        );
        for part in ["schema", "subresources", "additionalPrinterColumns"] {
            let [stored, older] = [stored, older].map(|it| without_descriptions(&it[part]));
            assert_eq!(stored, older, "{part}");
        }
    }
    assert_eq!(
        twins[0]["spec"]["versions"][1]["deprecationWarning"],
        "serving.knative.dev/v1alpha1 Service is deprecated; use serving.knative.dev/v1 Service"
    );
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

/// By plural: short names; headings. What `kubectl get` shows is an interface.
const SHOWN: [(&str, &str, &str); 12] = [
    (
        "services",
        "ksvc kservice",
        "URL LatestCreated LatestReady Ready Reason",
    ),
    (
        "configurations",
        "config cfg",
        "LatestCreated LatestReady Ready Reason",
    ),
    (
        "revisions",
        "rev",
        "Config Name Generation Ready Reason Actual Replicas Desired Replicas",
    ),
    ("routes", "rt", "URL Ready Reason"),
    ("domainmappings", "dm", "URL Ready Reason"),
    (
        "podautoscalers",
        "kpa pa",
        "DesiredScale ActualScale Ready Reason",
    ),
    ("metrics", "", "Ready Reason"),
    ("ingresses", "kingress king", "Ready Reason"),
    (
        "serverlessservices",
        "sks",
        "Mode Activators ServiceName PrivateServiceName Ready Reason",
    ),
    ("certificates", "kcert", "Ready Reason"),
    ("clusterdomainclaims", "cdc", ""),
    ("images", "", "Image"),
];

#[test]
fn short_names_and_columns_are_those_that_people_know() {
    let words = |list: &Value, field: &str| {
        let list = list.as_array().cloned().unwrap_or_default();
        let word = |entry: &Value| {
            entry
                .get(field)
                .unwrap_or(entry)
                .as_str()
                .map(str::to_owned)
        };
        list.iter().filter_map(word).collect::<Vec<_>>().join(" ")
    };
    let shown = crds().into_iter().map(|crd| {
        let columns = &crd["spec"]["versions"][0]["additionalPrinterColumns"];
        let names = &crd["spec"]["names"];
        let plural = names["plural"].as_str().unwrap().to_owned();
        (
            plural,
            words(&names["shortNames"], ""),
            words(columns, "name"),
        )
    });
    let expected =
        SHOWN.map(|(plural, short, columns)| (plural.into(), short.into(), columns.into()));
    assert_eq!(shown.collect::<Vec<(String, String, String)>>(), expected);
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
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    for key in keys.into_iter().flatten() {
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
    for (name, schema) in schemas() {
        walk(&name, &schema, &mut check_structural);
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
        "terminationGracePeriodSeconds",
    ] {
        assert!(!service.contains(&format!("\"{field}\":")), "{field}");
    }
}
