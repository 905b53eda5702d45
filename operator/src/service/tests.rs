#![allow(
    clippy::needless_pass_by_value,
    reason = "json! literals read best as arguments"
)]

mod conditions;
mod health;

use std::collections::BTreeMap;

use crds::configuration::Configuration;
use crds::service::Service;
use serde::Deserialize;

use super::desired;
use crate::golden::{check, document};

/// A golden case: the Service, and the Configuration that is there already.
#[derive(Deserialize)]
struct Case {
    service: Service,
    #[serde(default)]
    configuration: Option<Configuration>,
}

#[test]
fn children_are_as_in_the_golden_files() {
    check("service/tests/golden", |case: Case| {
        let configuration = desired::configuration(&case.service, case.configuration.as_ref());
        vec![
            document(&configuration),
            document(&desired::route(&case.service)),
        ]
    });
}

#[test]
fn an_empty_traffic_list_means_the_latest_revision() {
    let mut service = Service::new("s", crds::service::ServiceSpec::default());
    service.metadata.annotations = Some(BTreeMap::new());
    let route = desired::route(&service);
    let [target] = route.spec.traffic.as_slice() else {
        panic!("{:?}", route.spec.traffic)
    };
    assert_eq!(target.configuration_name.as_deref(), Some("s"));
    assert_eq!(
        (target.percent, target.latest_revision),
        (Some(100), Some(true))
    );
}
