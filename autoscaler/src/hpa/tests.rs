use std::collections::BTreeMap;
use std::fs;
use std::path::Path as File;

use crds::autoscaling::PodAutoscaler;
use crds::condition::find;
use crds::config::Settings;
use jiff::Timestamp;
use serde::Deserialize;

use super::desired::desired;
use super::status::{Scaler, status};
use crate::sks::Path;

/// One golden case: a PodAutoscaler, and config maps by name.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    config: BTreeMap<String, BTreeMap<String, String>>,
    autoscaler: PodAutoscaler,
}

/// `UPDATE_GOLDEN=1 cargo test` writes what comes out; the review reads the difference.
#[test]
fn what_is_applied_is_what_the_golden_files_say() {
    let root = File::new(env!("CARGO_MANIFEST_DIR")).join("src/hpa/tests/golden");
    let mut cases = 0;
    for entry in fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let text = fs::read_to_string(folder.join("in.yaml")).unwrap();
        let case: Case = serde_yaml::from_str(&text).unwrap();
        let mut settings = Settings::default();
        for (name, data) in &case.config {
            settings.update(name, data).unwrap();
        }
        let came = serde_yaml::to_string(&desired(&case.autoscaler, &settings)).unwrap();
        let wanted = folder.join("want.yaml");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&wanted, &came).unwrap();
        }
        let text = fs::read_to_string(&wanted).unwrap_or_default();
        assert_eq!(came, text, "{}", wanted.display());
        cases += 1;
    }
    assert_eq!(cases, 4);
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn built(ready: bool) -> Path {
    Path::Built {
        public: "hello".to_owned(),
        private: "hello-private".to_owned(),
        ready,
        message: String::new(),
        proxied_since: None,
    }
}

fn there(current: i32) -> Scaler {
    let desired = current + 1;
    Scaler::There { current, desired }
}

/// `Active ScaleTargetInitialized SKSReady Ready`, each as status and reason.
fn told(scaler: &Scaler, path: &Path, threshold: u32) -> String {
    let mut autoscaler = PodAutoscaler::default();
    autoscaler.metadata.name = Some("hello".to_owned());
    let status = status(&autoscaler, scaler, path, threshold, at(0));
    ["Active", "ScaleTargetInitialized", "SKSReady", "Ready"]
        .map(|name| {
            let condition = find(&status.conditions, name).unwrap();
            format!("{}:{}", condition.status, condition.reason)
        })
        .join(" ")
}

#[test]
fn the_status_tells_what_keeps_the_revision_from_being_ready() {
    let foreign = Path::Foreign("hello".to_owned());
    for (scaler, path, threshold, expected) in [
        (there(2), built(true), 2, "True: True: True: True:"),
        (there(1), built(true), 2, "True: Unknown: True: Unknown:"),
        (
            there(2),
            built(false),
            2,
            "True: Unknown: Unknown:NotReady Unknown:",
        ),
        (
            there(2),
            Path::Unbuilt,
            2,
            "True: Unknown: Unknown:NotReady Unknown:",
        ),
        (
            there(2),
            foreign,
            2,
            "False:NotOwned Unknown: Unknown:NotReady False:NotOwned",
        ),
        (
            Scaler::Foreign,
            built(true),
            1,
            "False:NotOwned Unknown: True: False:NotOwned",
        ),
        (
            Scaler::Refused,
            built(true),
            1,
            "False:FailedCreate Unknown: True: False:FailedCreate",
        ),
    ] {
        assert_eq!(told(&scaler, &path, threshold), expected, "{scaler:?}");
    }
}

#[test]
fn once_initialised_a_revision_stays_so_and_scales_are_those_of_the_object() {
    let mut autoscaler = PodAutoscaler::default();
    for (current, actual) in [(1, 1), (0, 0)] {
        let status = status(&autoscaler, &there(current), &built(true), 1, at(0));
        assert_eq!(
            (status.actual_scale, status.desired_scale),
            (Some(actual), Some(actual + 1))
        );
        let initialized = find(&status.conditions, "ScaleTargetInitialized").unwrap();
        assert_eq!(initialized.status, "True");
        autoscaler.status = Some(status);
    }
}
