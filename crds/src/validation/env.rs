//! Rules of a container's environment (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, EnvVarSource};

use super::container::{Role, Scope};
use super::{FieldErrors, fields};

const RESERVED: [&str; 3] = ["K_SERVICE", "K_CONFIGURATION", "K_REVISION"];
const PORT: &str = "PORT";

pub(super) fn validate(container: &Container, scope: &Scope<'_>) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (index, variable) in container.env.iter().flatten().enumerate() {
        errors.also(self::variable(variable, scope).at_index("env", index));
    }
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        errors.also(from(source).at_index("envFrom", index));
    }
    errors
}

fn variable(variable: &EnvVar, scope: &Scope<'_>) -> FieldErrors {
    let name = variable.name.as_str();
    let mut errors = FieldErrors::none();
    if name.is_empty() {
        errors.also(FieldErrors::missing(["name"]));
    } else if RESERVED.contains(&name) || scope.role == Role::Serving && name == PORT {
        let text = format!("{name:?} is a reserved environment variable");
        errors.also(FieldErrors::new(text, ["name"]));
    }
    if let Some(source) = &variable.value_from {
        errors.also(self::source(source, scope).at("valueFrom"));
    }
    errors
}

fn source(source: &EnvVarSource, scope: &Scope<'_>) -> FieldErrors {
    let references = ["configMapKeyRef", "secretKeyRef"];
    let fields_too = [
        "configMapKeyRef",
        "secretKeyRef",
        "fieldRef",
        "resourceFieldRef",
    ];
    let flag = scope.ctx.settings.features.kubernetes_podspec_fieldref;
    let allowed = if flag.is_on() {
        &fields_too[..]
    } else {
        &references[..]
    };
    let mut errors = fields::only(source, allowed);
    if let Some(reference) = &source.config_map_key_ref {
        errors.also(named(&reference.name).at(references[0]));
        errors.also(keyed(&reference.key).at(references[0]));
    }
    if let Some(reference) = &source.secret_key_ref {
        errors.also(named(&reference.name).at(references[1]));
        errors.also(keyed(&reference.key).at(references[1]));
    }
    errors
}

fn from(source: &EnvFromSource) -> FieldErrors {
    let choices = ["configMapRef", "secretRef"];
    let mut errors = fields::exactly_one(source, &choices);
    errors.also(fields::only(
        source,
        &["configMapRef", "prefix", "secretRef"],
    ));
    if let Some(reference) = &source.config_map_ref {
        errors.also(named(&reference.name).at(choices[0]));
    }
    if let Some(reference) = &source.secret_ref {
        errors.also(named(&reference.name).at(choices[1]));
    }
    errors
}

fn named(name: &str) -> FieldErrors {
    if name.is_empty() {
        FieldErrors::missing(["name"])
    } else {
        FieldErrors::none()
    }
}

fn keyed(key: &str) -> FieldErrors {
    if key.is_empty() {
        FieldErrors::missing(["key"])
    } else {
        FieldErrors::none()
    }
}
