//! What `kubectl explain` says of a revision's pod where more, or something else, holds than for a
//! plain pod: whose field it is, which default it has, what the webhook refuses.

mod table;

use serde_json::{Value, json};

use table::PLACES;

/// Kubernetes says it of fields of a pod. Here every change makes a new revision.
const UNTRUE: &str = " Cannot be updated.";

/// Puts our words into the schema of a RevisionSpec.
pub(super) fn describe(spec: &mut Value) {
    without_untrue(spec);
    for (place, words) in PLACES {
        for (path, feature, meaning) in words {
            if let Some(field) = field(spec, place).and_then(|object| field(object, path)) {
                field["description"] = json!(sentence(feature, meaning));
            }
        }
    }
}

fn sentence(feature: &str, meaning: &str) -> String {
    if feature.is_empty() {
        return meaning.to_owned();
    }
    format!("{meaning} Only where config-features allows it: {feature}.")
}

fn field<'a>(mut schema: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let name = step.trim_end_matches("[]");
        schema = schema.get_mut("properties")?.get_mut(name)?;
        if step.ends_with("[]") {
            schema = schema.get_mut("items")?;
        }
    }
    Some(schema)
}

fn without_untrue(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace(UNTRUE, "");
            }
            fields.values_mut().for_each(without_untrue);
        }
        Value::Array(entries) => entries.iter_mut().for_each(without_untrue),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::field;
    use super::table::PLACES;
    use crate::config::FeaturesConfig;
    use crate::schema::crds;

    #[test]
    fn words_speak_of_fields_that_there_are() {
        let mut service = crds().remove(0);
        let schema = &mut service["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let spec = field(schema, "spec.template.spec").unwrap();
        for (place, words) in PLACES {
            for (path, _, meaning) in words {
                let found = field(spec, place).and_then(|object| field(object, path));
                let said = found.and_then(|field| field["description"].as_str());
                assert!(
                    said.is_some_and(|text| text.starts_with(meaning)),
                    "{place}.{path}"
                );
            }
        }
    }

    #[test]
    fn words_name_features_that_there_are() {
        for (_, words) in PLACES {
            for (path, feature, _) in words.iter().filter(|(_, feature, _)| !feature.is_empty()) {
                let set = |value: &str| [((*feature).to_owned(), value.to_owned())].into();
                let [on, off] =
                    ["Enabled", "Disabled"].map(|value| FeaturesConfig::parse(&set(value)));
                assert_ne!(on, off, "{path}: {feature}");
            }
        }
    }
}
