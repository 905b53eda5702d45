//! Rules of the kinds of `networking.internal.knative.dev` (contract/control-plane 1.8).

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::FieldErrors;
use crate::certificate::CertificateSpec;
use crate::networking::{Ingress, IngressPath, IngressSplit, ServerlessServiceSpec};

pub(super) fn ingress(ingress: &Ingress) -> FieldErrors {
    let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
    let rules = &ingress.spec.rules;
    if rules.is_empty() {
        return FieldErrors::missing(["rules"]);
    }
    let mut errors = FieldErrors::none();
    for (index, rule) in rules.iter().enumerate() {
        let mut of_rule = FieldErrors::none();
        if rule.hosts.is_empty() {
            of_rule.also(FieldErrors::missing(["hosts"]));
        }
        match &rule.http {
            None => of_rule.also(FieldErrors::missing(["http"])),
            Some(http) if http.paths.is_empty() => {
                of_rule.also(FieldErrors::missing(["http.paths"]));
            }
            Some(http) => {
                for (index, path) in http.paths.iter().enumerate() {
                    of_rule.also(
                        self::path(path, namespace)
                            .at_index("paths", index)
                            .at("http"),
                    );
                }
            }
        }
        errors.also(of_rule.at_index("rules", index));
    }
    for (index, tls) in ingress.spec.tls.iter().enumerate() {
        for (field, value) in [
            ("secretName", &tls.secret_name),
            ("secretNamespace", &tls.secret_namespace),
        ] {
            if value.is_empty() {
                errors.also(FieldErrors::missing([field]).at_index("tls", index));
            }
        }
    }
    errors
}

fn path(path: &IngressPath, namespace: &str) -> FieldErrors {
    if path.splits.is_empty() {
        return FieldErrors::missing(["splits"]);
    }
    let mut errors = FieldErrors::none();
    for (index, split) in path.splits.iter().enumerate() {
        errors.also(self::split(split, namespace).at_index("splits", index));
    }
    let sum = path
        .splits
        .iter()
        .fold(0_i64, |sum, split| sum.saturating_add(split.percent));
    if sum != 100 {
        errors.also(
            FieldErrors::invalid(sum, "splits")
                .details("Traffic split percentage must total to 100"),
        );
    }
    errors
}

fn split(split: &IngressSplit, namespace: &str) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if split.service_name.is_empty() {
        errors.also(FieldErrors::missing(["serviceName"]));
    }
    if split.service_port == IntOrString::Int(0) {
        errors.also(FieldErrors::missing(["servicePort"]));
    }
    if split.service_namespace.is_empty() {
        errors.also(FieldErrors::missing(["serviceNamespace"]));
    } else if !namespace.is_empty() && split.service_namespace != namespace {
        errors.also(
            FieldErrors::invalid(&split.service_namespace, "serviceNamespace").details(format!(
                "service namespace must match ingress namespace: {namespace:?}"
            )),
        );
    }
    if !(0..=100).contains(&split.percent) {
        errors.also(FieldErrors::out_of_bounds(split.percent, 0, 100, "percent"));
    }
    errors
}

pub(super) fn serverless_service(spec: &ServerlessServiceSpec) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if spec.mode.is_none() {
        errors.also(FieldErrors::missing(["mode"]));
    }
    if let Some(number) = spec.num_activators.filter(|number| *number < 0) {
        errors.also(FieldErrors::invalid(number, "numActivators"));
    }
    let reference = &spec.object_ref;
    for (field, value) in [
        ("apiVersion", &reference.api_version),
        ("kind", &reference.kind),
        ("name", &reference.name),
    ] {
        if value.as_deref().unwrap_or_default().is_empty() {
            errors.also(FieldErrors::missing([field]).at("objectRef"));
        }
    }
    errors.also(protocol(&spec.protocol_type));
    errors
}

/// The HTTP version of an app.
pub(super) fn protocol(protocol: &str) -> FieldErrors {
    match protocol {
        "" => FieldErrors::missing(["protocolType"]),
        "http1" | "h2c" => FieldErrors::none(),
        other => FieldErrors::invalid(other, "protocolType"),
    }
}

pub(super) fn certificate(spec: &CertificateSpec) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if spec.dns_names.is_empty() {
        errors.also(FieldErrors::missing(["dnsNames"]));
    }
    for (index, name) in spec.dns_names.iter().enumerate() {
        if name.is_empty() {
            errors.also(FieldErrors::invalid("", "").at_index("dnsNames", index));
        }
    }
    if spec.secret_name.is_empty() {
        errors.also(FieldErrors::missing(["secretName"]));
    }
    errors
}
