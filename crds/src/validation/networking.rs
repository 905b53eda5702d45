//! Rules of the kinds of `networking.internal.knative.dev` (contract/control-plane 1.8).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{FieldErrors, target};
use crate::certificate::CertificateSpec;
use crate::networking::{
    HttpRule, Ingress, IngressPath, IngressSpec, IngressSplit, IngressTls, ServerlessServiceSpec,
};

const GROUP: &str = "networking.knative.dev";
const KEYS: [&str; 9] = [
    "certificate-class",
    "certificate.class",
    "disable-auto-tls",
    "disable-external-domain-tls",
    "disableAutoTLS",
    "http-protocol",
    "httpOption",
    "ingress-class",
    "ingress.class",
];

/// Annotations of this group must be known.
pub(super) fn annotations(annotations: Option<&BTreeMap<String, String>>) -> FieldErrors {
    let keys = annotations.into_iter().flatten().map(|(key, _)| key);
    keys.filter(|key| !is_known(key))
        .map(|key| FieldErrors::invalid_key(key, ""))
        .collect()
}

fn is_known(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(GROUP) else {
        return true;
    };
    rest.strip_prefix('/')
        .is_some_and(|name| KEYS.contains(&name))
}

pub(super) fn ingress(ingress: &Ingress) -> FieldErrors {
    let spec = &ingress.spec;
    if *spec == IngressSpec::default() {
        return FieldErrors::missing([""]);
    }
    let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
    let mut errors = FieldErrors::none();
    if spec.rules.is_empty() {
        errors.also(FieldErrors::missing(["rules"]));
    }
    for (index, rule) in spec.rules.iter().enumerate() {
        let of_rule = match &rule.http {
            None => FieldErrors::missing(["http"]),
            Some(http) => self::http(http, namespace).at("http"),
        };
        errors.also(of_rule.at_index("rules", index));
    }
    for (index, tls) in spec.tls.iter().enumerate() {
        errors.also(self::tls(tls).at_index("tls", index));
    }
    errors
}

fn http(http: &HttpRule, namespace: &str) -> FieldErrors {
    if http.paths.is_empty() {
        return FieldErrors::missing(["paths"]);
    }
    let mut errors = FieldErrors::none();
    for (index, path) in http.paths.iter().enumerate() {
        errors.also(self::path(path, namespace).at_index("paths", index));
    }
    errors
}

fn tls(tls: &IngressTls) -> FieldErrors {
    if *tls == IngressTls::default() {
        return FieldErrors::missing([""]);
    }
    let mut errors = named(&tls.secret_name, "secretName");
    errors.also(named(&tls.secret_namespace, "secretNamespace"));
    errors
}

/// Of the splits only the first that is wrong is told.
fn path(path: &IngressPath, namespace: &str) -> FieldErrors {
    if path.splits.is_empty() {
        let field = if says_nothing(path) { "" } else { "splits" };
        return FieldErrors::missing([field]);
    }
    for (index, split) in path.splits.iter().enumerate() {
        let of_split = self::split(split, namespace);
        if !of_split.is_empty() {
            return of_split.at_index("splits", index);
        }
    }
    let shares = path.splits.iter().map(|split| split.percent);
    let sum = shares.fold(0_i64, i64::wrapping_add);
    if sum == 100 || sum == 0 && path.splits.len() == 1 {
        return FieldErrors::none();
    }
    let text = format!("traffic split percentage must total to 100, but was {sum}");
    FieldErrors::new(text, ["splits"])
}

fn says_nothing(path: &IngressPath) -> bool {
    let texts = [&path.path, &path.rewrite_host];
    let unsaid = texts
        .iter()
        .all(|text| text.as_deref().unwrap_or_default().is_empty());
    unsaid && path.headers.is_empty() && path.append_headers.is_empty()
}

fn split(split: &IngressSplit, namespace: &str) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if !(0..=100).contains(&split.percent) {
        errors.also(FieldErrors::invalid(split.percent, "percent"));
    }
    let port = split.service_port != IntOrString::Int(0);
    let backend = [&split.service_namespace, &split.service_name];
    if !port && backend.iter().all(|name| name.is_empty()) {
        errors.also(FieldErrors::missing([""]));
        return errors;
    }
    errors.also(named(&split.service_namespace, "serviceNamespace"));
    errors.also(named(&split.service_name, "serviceName"));
    if !split.service_namespace.is_empty() && split.service_namespace != namespace {
        let text = "service namespace must match ingress namespace";
        errors.also(FieldErrors::new(text, ["serviceNamespace"]));
    }
    if !port {
        errors.also(FieldErrors::missing(["servicePort"]));
    }
    errors
}

pub(super) fn serverless_service(spec: &ServerlessServiceSpec) -> FieldErrors {
    if *spec == ServerlessServiceSpec::default() {
        return FieldErrors::missing([""]);
    }
    let mut errors = FieldErrors::none();
    if spec.mode.is_none() {
        errors.also(FieldErrors::missing(["mode"]));
    }
    if let Some(number) = spec.num_activators.filter(|number| *number < 0) {
        errors.also(FieldErrors::invalid(number, "numActivators"));
    }
    let object = &spec.object_ref;
    let fields = [&object.api_version, &object.kind, &object.name].map(Option::as_deref);
    errors.also(target::validate(fields[0], fields[1], fields[2]).at("objectRef"));
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
    let mut errors = named(&spec.secret_name, "secretName");
    if spec.dns_names.is_empty() {
        errors.also(FieldErrors::missing(["dnsNames"]));
        return errors;
    }
    for (index, name) in spec.dns_names.iter().enumerate() {
        if name.is_empty() {
            errors.also(FieldErrors::invalid("", "").at_index("dnsNames", index));
        }
    }
    let domain = spec.domain.as_deref().unwrap_or_default();
    let suffix = format!(".{domain}");
    let below = |name: &String| name == domain || name.ends_with(&suffix);
    if !domain.is_empty() && !spec.dns_names.iter().any(below) {
        errors.also(FieldErrors::invalid(
            "domain",
            "domain must be a suffix of, or match exactly, at least one entry in dnsNames",
        ));
    }
    errors
}

fn named(text: &str, field: &'static str) -> FieldErrors {
    if text.is_empty() {
        FieldErrors::missing([field])
    } else {
        FieldErrors::none()
    }
}
