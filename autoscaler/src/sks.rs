//! The way to a revision: its ServerlessService, which we write and the operator carries out
//! (contract/data-plane 1.7 and 1.8, contract/control-plane 2.7).

use std::collections::BTreeMap;

use crds::autoscaling::{Metric, MetricSpec, PodAutoscaler};
use crds::condition::{self, READY, Truth};
use crds::name::{LAST_APPLIED, autoscaling};
use crds::networking::{ObjectRef, ServerlessService, ServerlessServiceSpec, SksMode};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use runtime::kube::apply::APPLIED;
use runtime::kube::owner::{is_owned_by, owner_reference};

use crate::decide::Burst;
use crate::rules::Rules;

/// Activators behind a revision at least: one may go at any time.
const LEAST_ACTIVATORS: i32 = 2;
/// Condition whose time tells since when activators are in the path.
const PROXIED: &str = "ActivatorEndpointsPopulated";

/// The way to a revision as it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// No ServerlessService yet, or none that the operator has carried out.
    Unbuilt,
    /// The name is taken by an object that is not ours.
    Foreign(String),
    /// The Services exist.
    Built {
        /// Public Service; empty while the operator has not named it.
        public: String,
        /// Private Service.
        private: String,
        /// Whether the ServerlessService is ready.
        ready: bool,
        /// Why it is not.
        message: String,
        /// Since when the public Service has led to activators.
        proxied_since: Option<Timestamp>,
    },
}

impl Path {
    /// The way as `current` tells it.
    pub fn of(current: Option<&ServerlessService>, autoscaler: &PodAutoscaler) -> Self {
        let Some(current) = current else {
            return Self::Unbuilt;
        };
        if !is_owned_by(&current.metadata, autoscaler.metadata.uid.as_deref()) {
            return Self::Foreign(current.metadata.name.clone().unwrap_or_default());
        }
        let status = current.status.clone().unwrap_or_default();
        let Some(private) = status.private_service_name.filter(|name| !name.is_empty()) else {
            return Self::Unbuilt;
        };
        let find = |name| condition::find(&status.conditions, name);
        let proxied = find(PROXIED).filter(|found| found.status == "True");
        let generation = current.metadata.generation;
        Self::Built {
            public: status.service_name.unwrap_or_default(),
            private,
            ready: condition::is_ready(&status.conditions, status.observed_generation, generation),
            message: find(READY)
                .map(|ready| ready.message.clone())
                .unwrap_or_default(),
            proxied_since: proxied.and_then(|found| Some(found.last_transition_time.as_ref()?.0)),
        }
    }

    /// Names of the public and of the private Service, empty while there is none.
    pub fn services(&self) -> (&str, &str) {
        match self {
            Self::Unbuilt | Self::Foreign(_) => ("", ""),
            Self::Built {
                public, private, ..
            } => (public, private),
        }
    }

    /// Since when the public Service has led to activators.
    pub fn proxied_since(&self) -> Option<Timestamp> {
        match self {
            Self::Built { proxied_since, .. } => *proxied_since,
            Self::Unbuilt | Self::Foreign(_) => None,
        }
    }

    /// What the PodAutoscaler says of it.
    pub fn readiness(&self) -> Truth {
        match self {
            Self::Built { ready: true, .. } => Truth::True,
            Self::Built { message, .. } => Truth::unknown("NotReady", message),
            Self::Unbuilt | Self::Foreign(_) => {
                Truth::unknown("NotReady", "No Private Service Name")
            }
        }
    }
}

/// Pods serve directly only when some are wanted and a burst would find room in them.
pub fn mode(wanted: Option<u32>, excess_burst: i64) -> SksMode {
    match wanted {
        Some(wanted) if wanted > 0 && excess_burst >= 0 => SksMode::Serve,
        Some(_) | None => SksMode::Proxy,
    }
}

/// Activators that hold what the ready pods can carry and one burst besides.
pub fn activators(rules: &Rules, ready: u32) -> i32 {
    let burst = match rules.spec.burst {
        Burst::None => return LEAST_ACTIVATORS,
        Burst::Unlimited => 0.0,
        Burst::Capacity(burst) => burst,
    };
    let load = f64::from(ready) * rules.spec.target.total + burst;
    LEAST_ACTIVATORS.max((load / rules.activator_capacity).ceil() as i32)
}

/// The ServerlessService that `autoscaler` should have.
pub fn wanted(autoscaler: &PodAutoscaler, mode: SksMode, activators: i32) -> ServerlessService {
    let target = &autoscaler.spec.scale_target_ref;
    let spec = ServerlessServiceSpec {
        mode: Some(mode),
        object_ref: ObjectRef {
            api_version: target.api_version.clone(),
            kind: target.kind.clone(),
            name: target.name.clone(),
        },
        protocol_type: autoscaler.spec.protocol_type.clone(),
        num_activators: Some(activators),
    };
    let mut metadata = child(autoscaler);
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(autoscaling::METRIC);
    }
    ServerlessService {
        metadata,
        spec,
        status: None,
    }
}

/// The Metric that `autoscaler` should have. Nobody here reads it; clients do.
pub fn wanted_metric(autoscaler: &PodAutoscaler, rules: &Rules, private: &str) -> Metric {
    let nanos = |window: std::time::Duration| i64::try_from(window.as_nanos()).unwrap_or(i64::MAX);
    let scraped = rules.spec.burst != Burst::Unlimited;
    let spec = MetricSpec {
        stable_window: nanos(rules.spec.stable_window),
        panic_window: nanos(rules.panic_window),
        scrape_target: if scraped {
            private.to_owned()
        } else {
            String::new()
        },
    };
    Metric {
        metadata: child(autoscaler),
        spec,
        status: None,
    }
}

/// Metadata of a child: same name, labels and annotations, less the marks of those who wrote
/// the PodAutoscaler.
pub(crate) fn child(autoscaler: &PodAutoscaler) -> ObjectMeta {
    let of = &autoscaler.metadata;
    let mut annotations: BTreeMap<_, _> = of.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| key != APPLIED && key != LAST_APPLIED);
    ObjectMeta {
        name: of.name.clone(),
        namespace: of.namespace.clone(),
        labels: of.labels.clone(),
        annotations: Some(annotations),
        owner_references: Some(vec![owner_reference(autoscaler)]),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests;
