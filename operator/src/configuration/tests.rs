#![allow(
    clippy::needless_pass_by_value,
    reason = "json! literals read best as arguments"
)]
#![allow(
    clippy::too_many_lines,
    reason = "a table is as long as the contract has lines"
)]

mod conditions;
mod revisions;

use std::sync::Arc;

use crds::configuration::Configuration;
use crds::revision::Revision;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::desired;
use super::latest::Seen;
use crate::golden::{check, document};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A Configuration `c` with uid `u` whose template has that image and name.
fn configuration(generation: i64, name: Option<&str>, image: &str) -> Configuration {
    serde_json::from_value(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Configuration",
        "metadata": { "name": "c", "namespace": "ns", "uid": "u", "generation": generation },
        "spec": { "template": {
            "metadata": { "name": name },
            "spec": { "containers": [{ "name": "user-container", "image": image }] },
        } },
    }))
    .unwrap()
}

/// A Revision of that Configuration: Ready is a status word, `-` for none yet.
fn revision(name: &str, generation: i64, image: &str, ready: &str) -> Arc<Revision> {
    Arc::new(revision_of("u", name, generation, image, ready))
}

fn revision_of(uid: &str, name: &str, generation: i64, image: &str, ready: &str) -> Revision {
    let conditions = match ready {
        "-" => json!([]),
        status => json!([{ "type": "Ready", "status": status, "reason": "R", "message": "m" }]),
    };
    object(json!({
        "metadata": {
            "name": name, "namespace": "ns", "generation": 1,
            "labels": {
                "serving.knative.dev/configuration": "c",
                "serving.knative.dev/configurationGeneration": generation.to_string(),
            },
            "ownerReferences": [{
                "apiVersion": "serving.knative.dev/v1", "kind": "Configuration", "name": "c",
                "uid": uid, "controller": true,
            }],
        },
        "spec": { "containers": [{ "name": "user-container", "image": image }] },
        "status": { "observedGeneration": 1, "conditions": conditions },
    }))
}

fn object(mut value: Value) -> Revision {
    value["apiVersion"] = "serving.knative.dev/v1".into();
    value["kind"] = "Revision".into();
    serde_json::from_value(value).unwrap()
}

/// What is seen where `named` is the name of the current Revision.
fn seen(revisions: &[Arc<Revision>], named: &str) -> Seen {
    let found = revisions
        .iter()
        .find(|it| it.metadata.name.as_deref() == Some(named));
    Seen::new(revisions.to_vec(), found.cloned())
}

#[test]
fn revisions_are_as_in_the_golden_files() {
    check(
        "configuration/tests/golden",
        |configuration: Configuration| {
            vec![document(&desired::revision(
                &configuration,
                at(1_700_000_000),
            ))]
        },
    );
}
