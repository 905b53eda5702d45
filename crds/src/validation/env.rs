//! Rules of a container's environment (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar};

use super::container::{Role, Scope};
use super::text::quoted;
use super::{FieldErrors, fields};

const RESERVED: [&str; 3] = ["K_SERVICE", "K_CONFIGURATION", "K_REVISION"];
const PORT: &str = "PORT";

pub(super) fn validate(container: &Container, scope: &Scope<'_>) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (index, variable) in container.env.iter().flatten().enumerate() {
        errors.also(self::variable(variable, scope).at_index("env", index));
    }
    let sources = container.env_from.as_deref().unwrap_or_default();
    errors.also(self::sources(sources).at("envFrom"));
    errors
}

fn variable(variable: &EnvVar, scope: &Scope<'_>) -> FieldErrors {
    let name = variable.name.as_str();
    let mut errors = FieldErrors::none();
    if name.is_empty() {
        errors.also(FieldErrors::missing(["name"]));
    } else if RESERVED.contains(&name) || scope.role == Role::Serving && name == PORT {
        let text = format!("{} is a reserved environment variable", quoted(name));
        errors.also(FieldErrors::new(text, ["name"]));
    }
    if let Some(source) = &variable.value_from {
        let flag = scope.ctx.settings.features.kubernetes_podspec_fieldref;
        let mut allowed = vec!["configMapKeyRef", "secretKeyRef"];
        if flag.is_on() {
            allowed.extend(["fieldRef", "resourceFieldRef"]);
        }
        errors.also(fields::only(source, &allowed).at("valueFrom"));
    }
    errors
}

/// Each entry comes from one map. Which entry it is shows only in the paths of what was found
/// before a good one.
fn sources(sources: &[EnvFromSource]) -> FieldErrors {
    let mut errors = FieldErrors::none();
    let choices = ["configMapRef", "secretRef"];
    for (index, source) in sources.iter().enumerate() {
        let has = [source.config_map_ref.is_some(), source.secret_ref.is_some()];
        for (choice, _) in choices.iter().zip(has).rev().filter(|(_, has)| *has) {
            errors.wrap(&format!("{choice}[{index}]"));
        }
        match has {
            [true, true] => errors.also(FieldErrors::both(choices)),
            [false, false] => errors.also(FieldErrors::neither(choices)),
            [true, false] | [false, true] => {}
        }
    }
    errors
}
