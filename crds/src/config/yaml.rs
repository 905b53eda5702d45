//! YAML inside of values, read as leniently as Kubernetes reads it: names of fields in any case,
//! numbers and truths where texts are asked for.

use std::collections::BTreeMap;

use serde_yaml::Value;

/// The fields of a mapping, names in lower case; none for a text that says nothing.
pub(super) fn fields(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let value: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    fields_of(value)
}

pub(super) fn fields_of(value: Value) -> Result<BTreeMap<String, Value>, String> {
    let fields = entries(value)?.into_iter();
    Ok(fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect())
}

/// The entries of a mapping as they are; none for null.
pub(super) fn entries(value: Value) -> Result<BTreeMap<String, Value>, String> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Mapping(mapping) => mapping
            .into_iter()
            .map(|(name, value)| Ok((text(&name)?, value)))
            .collect(),
        _ => Err("a mapping is needed here".to_owned()),
    }
}

/// A mapping of texts; empty if it is not there.
pub(super) fn labels(value: Option<Value>) -> Result<BTreeMap<String, String>, String> {
    entries(value.unwrap_or_default())?
        .into_iter()
        .map(|(name, value)| Ok((name, text(&value)?)))
        .collect()
}

/// A text; empty for null.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("a text is needed here".to_owned()),
    }
}
