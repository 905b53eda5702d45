//! Rules of what a volume shows of other objects (contract/control-plane 1.5).

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, VolumeProjection,
};

use super::{FieldErrors, fields};

const SOURCES: [&str; 4] = ["secret", "configMap", "serviceAccountToken", "downwardAPI"];

/// Keys and the files that show them.
pub(super) fn items(items: Option<&[KeyToPath]>) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        let mut of_item = named(&item.key, "key");
        of_item.also(named(&item.path, "path"));
        errors.also(of_item.at_index("items", index));
    }
    errors
}

/// The sources of a projected volume.
pub(super) fn sources(projected: &ProjectedVolumeSource) -> FieldErrors {
    let mut errors = FieldErrors::none();
    for (index, projection) in projected.sources.iter().flatten().enumerate() {
        let mut of_projection = fields::only(projection, &SOURCES);
        of_projection.also(fields::exactly_one(projection, &SOURCES));
        of_projection.also(contents(projection));
        errors.also(of_projection.at_index("projected", index));
    }
    errors
}

fn contents(projection: &VolumeProjection) -> FieldErrors {
    let mut errors = FieldErrors::none();
    if let Some(secret) = &projection.secret {
        let mut of_secret = named(&secret.name, "name");
        of_secret.also(items(secret.items.as_deref()));
        errors.also(of_secret.at("secret"));
    }
    if let Some(map) = &projection.config_map {
        let mut of_map = named(&map.name, "name");
        of_map.also(items(map.items.as_deref()));
        errors.also(of_map.at("configMap"));
    }
    if let Some(token) = &projection.service_account_token {
        errors.also(named(&token.path, "path").at("serviceAccountToken"));
    }
    if let Some(pod) = &projection.downward_api {
        for (index, file) in pod.items.iter().flatten().enumerate() {
            errors.also(self::file(file).at_index("items", index).at("downwardAPI"));
        }
    }
    errors
}

fn file(file: &DownwardAPIVolumeFile) -> FieldErrors {
    let mut errors = named(&file.path, "path");
    match (&file.field_ref, &file.resource_field_ref) {
        (None, None) => errors.also(FieldErrors::neither(["fieldRef", "resourceFieldRef"])),
        (Some(_), Some(_)) => errors.also(FieldErrors::new(
            "Within a single item, cannot set both",
            ["resourceFieldRef", "fieldRef"],
        )),
        (Some(_), None) | (None, Some(_)) => {}
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
