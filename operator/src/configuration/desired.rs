//! The Revision of a Configuration's current template (contract/control-plane 2.2).

use std::collections::BTreeMap;

use crds::configuration::Configuration;
use crds::name::serving;
use crds::revision::Revision;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use runtime::kube::owner::owner_reference;

use super::latest::revision_name;
use crate::labeler::{RoutingState, seconds};

/// The Revision to create at `now`. Labels and annotations of the Configuration itself are not
/// copied; those of the template are.
pub(super) fn revision(configuration: &Configuration, now: Timestamp) -> Revision {
    let metadata = ObjectMeta {
        name: Some(revision_name(configuration)),
        namespace: configuration.namespace(),
        labels: Some(labels(configuration)),
        annotations: Some(annotations(configuration, now)),
        owner_references: Some(vec![owner_reference(configuration)]),
        ..ObjectMeta::default()
    };
    Revision {
        metadata,
        spec: configuration.spec.template.spec.clone(),
        status: None,
    }
}

fn labels(configuration: &Configuration) -> BTreeMap<String, String> {
    let template = configuration.spec.template.metadata.as_ref();
    let mut labels = template
        .and_then(|it| it.labels.clone())
        .unwrap_or_default();
    let generation = configuration.metadata.generation.unwrap_or_default();
    let mut set = |key: &str, value: String| labels.insert(key.to_owned(), value);
    set(serving::CONFIGURATION, configuration.name_any());
    set(serving::CONFIGURATION_GENERATION, generation.to_string());
    set(
        serving::CONFIGURATION_UID,
        configuration.uid().unwrap_or_default(),
    );
    set(
        serving::ROUTING_STATE,
        first_state(configuration).as_str().to_owned(),
    );
    for key in [serving::SERVICE, serving::SERVICE_UID] {
        if let Some(value) = configuration.labels().get(key) {
            labels.insert(key.to_owned(), value.clone());
        }
    }
    labels
}

fn annotations(configuration: &Configuration, now: Timestamp) -> BTreeMap<String, String> {
    let template = configuration.spec.template.metadata.as_ref();
    let mut annotations = template
        .and_then(|it| it.annotations.clone())
        .unwrap_or_default();
    annotations.insert(serving::ROUTING_STATE_MODIFIED.to_owned(), seconds(now));
    for (from, to) in [
        (serving::LAST_MODIFIER, serving::CREATOR),
        (serving::ROUTES, serving::ROUTES),
    ] {
        if let Some(value) = configuration.annotations().get(from) {
            annotations.insert(to.to_owned(), value.clone());
        }
    }
    annotations
}

/// Active from birth where Routes wait for it, so that it gets its pods before its traffic.
fn first_state(configuration: &Configuration) -> RoutingState {
    match configuration.annotations().get(serving::ROUTES) {
        Some(_) => RoutingState::Active,
        None => RoutingState::Pending,
    }
}
