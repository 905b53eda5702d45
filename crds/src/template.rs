//! The part of Go's text templates that config maps use: text, `{{.Field}}`, `{{.Map.key}}` and
//! `{{index .Map "key"}}`.

use std::collections::BTreeMap;

/// What a template may name: fields, and maps of further fields.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    /// Plain fields, for example `Name`.
    pub fields: BTreeMap<&'static str, &'a str>,
    /// Maps, for example `Labels`.
    pub maps: BTreeMap<&'static str, &'a BTreeMap<String, String>>,
}

/// A template that was read without error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

/// Why a template can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{{` without `}}`.
    #[error("unclosed action in template {0:?}")]
    Unclosed(String),
    /// An action that is neither a field nor an index.
    #[error("unsupported action {{{{{0}}}}} in template")]
    Unsupported(String),
    /// A field that the context does not have.
    #[error("template names the unknown field {0:?}")]
    UnknownField(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
    Index(String, String),
}

impl Template {
    /// Reads a template. Whether its fields exist shows when it is rendered.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((text, tail)) = rest.split_once("{{") {
            let (action, tail) = tail
                .split_once("}}")
                .ok_or_else(|| TemplateError::Unclosed(source.to_owned()))?;
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            parts.push(read_action(action)?);
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }

    /// A template without actions.
    pub fn literal(text: &str) -> Self {
        Self {
            source: text.to_owned(),
            parts: vec![Part::Text(text.to_owned())],
        }
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The text with all fields filled in. A missing map key is empty text.
    pub fn render(&self, context: &Context<'_>) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(part.render(context)?);
        }
        Ok(text)
    }
}

impl Part {
    fn render<'a>(&'a self, context: &'a Context<'_>) -> Result<&'a str, TemplateError> {
        let unknown = |name: &str| TemplateError::UnknownField(name.to_owned());
        match self {
            Self::Text(text) => Ok(text),
            Self::Field(name) => context
                .fields
                .get(name.as_str())
                .copied()
                .ok_or_else(|| unknown(name)),
            Self::Index(map, key) => {
                let map = context.maps.get(map.as_str()).ok_or_else(|| unknown(map))?;
                Ok(map.get(key).map_or("", String::as_str))
            }
        }
    }
}

fn read_action(action: &str) -> Result<Part, TemplateError> {
    let unsupported = || TemplateError::Unsupported(action.to_owned());
    let trimmed = action.trim_matches('-').trim();
    if let Some(rest) = trimmed.strip_prefix("index ") {
        let (map, key) = rest
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(unsupported)?;
        let map = map
            .strip_prefix('.')
            .filter(|map| is_word(map))
            .ok_or_else(unsupported)?;
        let key = unquote(key.trim()).ok_or_else(unsupported)?;
        return Ok(Part::Index(map.to_owned(), key.to_owned()));
    }
    let path = trimmed.strip_prefix('.').ok_or_else(unsupported)?;
    match path.split_once('.') {
        None if is_word(path) => Ok(Part::Field(path.to_owned())),
        Some((map, key)) if is_word(map) && is_word(key) => {
            Ok(Part::Index(map.to_owned(), key.to_owned()))
        }
        _ => Err(unsupported()),
    }
}

fn unquote(text: &str) -> Option<&str> {
    ['"', '`']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{Context, Template};
    use std::collections::BTreeMap;

    fn render(source: &str) -> Option<String> {
        let labels = BTreeMap::from([("app".to_owned(), "shop".to_owned())]);
        let context = Context {
            fields: BTreeMap::from([("Name", "n"), ("Namespace", "ns"), ("Domain", "d.io")]),
            maps: BTreeMap::from([("Labels", &labels)]),
        };
        Template::parse(source).ok()?.render(&context).ok()
    }

    #[test]
    fn fields_and_map_entries_are_filled_in() {
        for (source, expect) in [
            ("{{.Name}}.{{.Namespace}}.{{.Domain}}", "n.ns.d.io"),
            ("{{ .Name }}-x", "n-x"),
            ("{{index .Labels \"app\"}}.{{.Labels.app}}", "shop.shop"),
            ("{{index .Labels \"none\"}}", ""),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(render(source).as_deref(), Some(expect), "{source}");
        }
    }

    #[test]
    fn what_can_not_be_rendered_is_refused() {
        for source in [
            "{{.Name",
            "{{.Nope}}",
            "{{if .Name}}",
            "{{index .Nope \"a\"}}",
            "{{}}",
        ] {
            assert_eq!(render(source), None, "{source}");
        }
    }
}
