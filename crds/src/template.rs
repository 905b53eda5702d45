//! The part of Go's text templates that config maps use: fields, map entries, `if` and `with`,
//! variables, pipelines, and the functions that compare and format (contract/control-plane 4.2).
//!
//! There are no loops, and texts, nesting and results are bounded: a template costs no more than
//! its length. Absent on purpose: `range`, `define`, `template`, `block`, floats, methods.

mod eval;
mod function;
mod lex;
mod parse;
mod printf;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use self::parse::Node;

/// Longest text of a template, and of what it makes, in bytes: hosts have 253.
const LONGEST: usize = 16 * 1024;

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
    nodes: Vec<Node>,
}

/// Why a template can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not written as a template must be.
    #[error("{0}")]
    Syntax(String),
    /// Go knows it, we do not.
    #[error("unsupported in templates: {0}")]
    Unsupported(String),
    /// A field that the context does not have.
    #[error("unknown field {0}")]
    UnknownField(String),
    /// An action that can't be carried out with these values.
    #[error("{0}")]
    Failed(String),
    /// The template, or what it makes, is longer than any use of it.
    #[error("the template or its result is longer than {LONGEST} bytes")]
    TooLong,
}

static NO_ENTRIES: BTreeMap<String, String> = BTreeMap::new();

impl<'a> From<&'a ObjectMeta> for Context<'a> {
    /// What the name templates of containers may name of an object.
    fn from(object: &'a ObjectMeta) -> Self {
        let text = |field: &'a Option<String>| field.as_deref().unwrap_or_default();
        Self {
            fields: BTreeMap::from([
                ("GenerateName", text(&object.generate_name)),
                ("Name", text(&object.name)),
                ("Namespace", text(&object.namespace)),
                ("UID", text(&object.uid)),
            ]),
            maps: BTreeMap::from([
                (
                    "Annotations",
                    object.annotations.as_ref().unwrap_or(&NO_ENTRIES),
                ),
                ("Labels", object.labels.as_ref().unwrap_or(&NO_ENTRIES)),
            ]),
        }
    }
}

impl Template {
    /// Reads a template. Whether its fields exist shows when it is rendered.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > LONGEST {
            return Err(TemplateError::TooLong);
        }
        Ok(Self {
            source: source.to_owned(),
            nodes: parse::nodes(lex::pieces(source)?)?,
        })
    }

    /// A template without actions.
    pub fn literal(text: &str) -> Self {
        Self {
            source: text.to_owned(),
            nodes: vec![Node::Text(text.to_owned())],
        }
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The text with all actions carried out. A missing map entry is `<no value>` when it is named
    /// as a field, and empty when it is asked for with `index`, as in Go.
    pub fn render(&self, context: &Context<'_>) -> Result<String, TemplateError> {
        eval::render(&self.nodes, context)
    }
}

#[cfg(test)]
mod tests;
