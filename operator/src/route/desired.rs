//! The children of a Route as they should be: one Ingress, and one placeholder Service per name.

pub(super) mod ingress;
pub(super) mod placeholder;

use std::collections::BTreeMap;

use crds::name::{LAST_APPLIED, serving};
use crds::route::Route;
use kube::ResourceExt;

/// Labels of the Route, and its name as one.
fn labels(route: &Route) -> BTreeMap<String, String> {
    let mut labels = route.labels().clone();
    labels.insert(serving::ROUTE.to_owned(), route.name_any());
    labels
}

/// Annotations of the Route that children get.
fn annotations(route: &Route) -> BTreeMap<String, String> {
    let mut annotations = route.annotations().clone();
    annotations.remove(LAST_APPLIED);
    annotations
}
