//! From a request to a verdict: pure.

use crds::autoscaling::{Metric, PodAutoscaler};
use crds::certificate::Certificate;
use crds::config::Settings;
use crds::configuration::Configuration;
use crds::defaulting::DefaultingContext;
use crds::domain_mapping::DomainMapping;
use crds::networking::{Ingress, ServerlessService};
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;
use crds::validation::ValidationContext;
use serde_json::{Value, json};

use super::kind::Kind;
use super::patch;
use super::review::{Request, Verdict};

const NOTHING: &str = "the new object may not be nil";
const PARTS: [&str; 2] = ["metadata", "spec"];
/// Where pods are described.
const PODS: [(&str, &str); 2] = [
    ("/spec/template/spec", "spec.template.spec"),
    ("/spec", "spec"),
];
const CROWDS: [&str; 4] = [
    "containers",
    "initContainers",
    "ephemeralContainers",
    "volumes",
];
const LARGEST_CROWD: usize = 1000;

/// Path `/defaulting`: the object with what its author left out.
pub(crate) fn fill_in(request: &Request, settings: &Settings) -> Verdict {
    if !request.writes() || request.status_only() {
        return Verdict::allowed();
    }
    let filled = by_kind(request, settings, Step::FillIn);
    filled.unwrap_or_else(|fault| Verdict::denied(format!("mutation failed: {fault}")))
}

/// Path `/resource-validation`: whether the object may be written.
pub(crate) fn validate(request: &Request, settings: &Settings) -> Verdict {
    if !request.writes() || request.status_only() {
        return Verdict::allowed();
    }
    let validated = by_kind(request, settings, Step::Validate);
    validated.unwrap_or_else(|fault| Verdict::denied(format!("decoding request failed: {fault}")))
}

#[derive(Clone, Copy)]
enum Step {
    FillIn,
    Validate,
}

fn by_kind(request: &Request, settings: &Settings, step: Step) -> Result<Verdict, String> {
    let kind = &request.kind;
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("serving.knative.dev", "Service") => run::<Service>(request, settings, step),
        ("serving.knative.dev", "Configuration") => run::<Configuration>(request, settings, step),
        ("serving.knative.dev", "Revision") => run::<Revision>(request, settings, step),
        ("serving.knative.dev", "Route") => run::<Route>(request, settings, step),
        ("serving.knative.dev", "DomainMapping") => run::<DomainMapping>(request, settings, step),
        ("autoscaling.internal.knative.dev", "PodAutoscaler") => {
            run::<PodAutoscaler>(request, settings, step)
        }
        ("autoscaling.internal.knative.dev", "Metric") => run::<Metric>(request, settings, step),
        ("networking.internal.knative.dev", "Ingress") => run::<Ingress>(request, settings, step),
        ("networking.internal.knative.dev", "ServerlessService") => {
            run::<ServerlessService>(request, settings, step)
        }
        ("networking.internal.knative.dev", "Certificate") => {
            run::<Certificate>(request, settings, step)
        }
        (group, other) => Err(format!(
            "unhandled kind: {group}/{}, Kind={other}",
            kind.version
        )),
    }
}

fn run<K: Kind>(request: &Request, settings: &Settings, step: Step) -> Result<Verdict, String> {
    let raw = request.object.as_ref().filter(|object| !object.is_null());
    let Some(raw) = raw else {
        return match step {
            Step::FillIn => Err(NOTHING.to_owned()),
            Step::Validate => Ok(Verdict::denied(format!("validation failed: {NOTHING}"))),
        };
    };
    let old = request.old_object.as_ref().filter(|old| !old.is_null());
    if let Some(fault) = [Some(raw), old].into_iter().flatten().find_map(crowded) {
        return match step {
            Step::FillIn => Err(fault),
            Step::Validate => Ok(Verdict::denied(format!("validation failed: {fault}"))),
        };
    }
    let mut object: K =
        decode(raw).map_err(|fault| format!("cannot decode incoming new object: {fault}"))?;
    let old: Option<K> = match old {
        Some(old) => Some(
            decode(old).map_err(|fault| format!("cannot decode incoming old object: {fault}"))?,
        ),
        None => None,
    };
    let user = Some(request.user_info.username.as_str());
    let ctx = DefaultingContext { settings, user };
    match step {
        Step::FillIn => {
            object.fill_in(old.as_ref(), &ctx);
            let typed = serde_json::to_value(&object).map_err(|fault| fault.to_string())?;
            Ok(Verdict::Allowed {
                patch: patch::between(raw, typed),
                warnings: Vec::new(),
            })
        }
        Step::Validate => Ok(judged(&object, old.as_ref(), settings)),
    }
}

fn judged<K: Kind>(object: &K, old: Option<&K>, settings: &Settings) -> Verdict {
    let ctx = ValidationContext {
        settings,
        status_only: false,
    };
    let faults = object.faults(old, &ctx);
    let warnings = faults.warnings();
    let errors = faults.errors();
    if errors.is_empty() {
        return Verdict::Allowed {
            patch: json_patch::Patch::default(),
            warnings,
        };
    }
    Verdict::Denied {
        reason: format!("validation failed: {errors}"),
        warnings,
    }
}

/// An object without spec is one with an empty spec: then the words of validation tell what is
/// missing.
fn decode<K: Kind>(raw: &Value) -> Result<K, serde_json::Error> {
    let Value::Object(fields) = raw else {
        return Err(serde::de::Error::custom("an object was expected"));
    };
    let present = |field| fields.get(field).is_some_and(|part| !part.is_null());
    if PARTS.into_iter().all(present) {
        return K::deserialize(raw);
    }
    let mut fields = fields.clone();
    for part in PARTS.into_iter().filter(|part| !present(part)) {
        fields.insert(part.to_owned(), json!({}));
    }
    serde_json::from_value(Value::Object(fields))
}

/// Of two bytes, an empty container or volume becomes thousands: so many of them are refused unread.
/// No pod could be made of them anyway.
fn crowded(raw: &Value) -> Option<String> {
    PODS.into_iter().find_map(|(pointer, path)| {
        let pod = raw.pointer(pointer)?;
        CROWDS.into_iter().find_map(|field| {
            let count = pod.get(field)?.as_array()?.len();
            let fault = || format!("expected 0 <= {count} <= {LARGEST_CROWD}: {path}.{field}");
            (count > LARGEST_CROWD).then(fault)
        })
    })
}
