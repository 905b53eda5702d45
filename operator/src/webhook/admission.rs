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
    let raw = request.object.as_ref().unwrap_or(&Value::Null);
    let mut object: K =
        decode(raw).map_err(|fault| format!("cannot decode incoming new object: {fault}"))?;
    let old = request.old_object.as_ref().filter(|old| !old.is_null());
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
                patch: patch::between(raw, &typed),
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
    let mut object = raw.clone();
    if let Some(fields) = object.as_object_mut() {
        let spec = fields.entry("spec").or_insert_with(|| json!({}));
        if spec.is_null() {
            *spec = json!({});
        }
    }
    serde_json::from_value(object)
}
