//! Carries a template out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::function::Function;
use super::parse::{Branch, Command, Node, Operand, Pipeline};
use super::{Context, LONGEST, TemplateError};

/// What an expression can be.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Truth(bool),
    Map(&'a BTreeMap<String, String>),
    /// An entry that a map does not have, or `nil`.
    Missing,
    /// All that the template may name.
    Root,
}

impl<'a> Value<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// Whether a condition holds: what is empty or zero does not.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0,
            Self::Truth(truth) => *truth,
            Self::Map(map) => !map.is_empty(),
            Self::Missing => false,
            Self::Root => true,
        }
    }

    /// As `{{.}}` shows it.
    fn printed(&self) -> Result<String, TemplateError> {
        match self {
            Self::Missing => Ok("<no value>".to_owned()),
            value => value.argument_text(),
        }
    }

    /// As `print` shows it.
    pub(super) fn argument_text(&self) -> Result<String, TemplateError> {
        match self {
            Self::Text(text) => Ok(text.clone().into_owned()),
            Self::Number(number) => Ok(number.to_string()),
            Self::Truth(truth) => Ok(truth.to_string()),
            Self::Map(map) => {
                let entries: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{v}")).collect();
                Ok(format!("map[{}]", entries.join(" ")))
            }
            Self::Missing => Ok("<nil>".to_owned()),
            Self::Root => Err(TemplateError::Unsupported("{{.}}".to_owned())),
        }
    }
}

pub(super) fn render(nodes: &[Node], context: &Context<'_>) -> Result<String, TemplateError> {
    let mut renderer = Renderer {
        context,
        text: String::new(),
        variables: vec![("$", Value::Root)],
    };
    renderer.list(nodes, &Value::Root)?;
    Ok(renderer.text)
}

struct Renderer<'a> {
    context: &'a Context<'a>,
    text: String,
    variables: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Renderer<'a> {
    fn list(&mut self, nodes: &'a [Node], dot: &Value<'a>) -> Result<(), TemplateError> {
        for node in nodes {
            self.node(node, dot)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &'a Node, dot: &Value<'a>) -> Result<(), TemplateError> {
        match node {
            Node::Text(text) => self.print(text),
            Node::Print(pipeline) => {
                let text = self.pipeline(pipeline, dot)?.printed()?;
                self.print(&text)
            }
            Node::Declare(name, pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                self.variables.push((name, value));
                Ok(())
            }
            Node::Assign(name, pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                let variable = self.variables.iter_mut().rev().find(|it| it.0 == name);
                if let Some(variable) = variable {
                    variable.1 = value;
                }
                Ok(())
            }
            Node::If(branch) => self.branch(branch, dot, false),
            Node::With(branch) => self.branch(branch, dot, true),
        }
    }

    fn branch(
        &mut self,
        branch: &'a Branch,
        dot: &Value<'a>,
        moves_dot: bool,
    ) -> Result<(), TemplateError> {
        let outer = self.variables.len();
        let value = self.pipeline(&branch.condition, dot)?;
        if let Some(name) = &branch.declared {
            self.variables.push((name, value.clone()));
        }
        if !value.is_true() {
            self.list(&branch.otherwise, dot)?;
        } else if moves_dot {
            self.list(&branch.then, &value)?;
        } else {
            self.list(&branch.then, dot)?;
        }
        self.variables.truncate(outer);
        Ok(())
    }

    fn print(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.text.len() + text.len() > LONGEST {
            return Err(TemplateError::TooLong);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn pipeline(
        &self,
        pipeline: &'a Pipeline,
        dot: &Value<'a>,
    ) -> Result<Value<'a>, TemplateError> {
        let mut last = None;
        for command in &pipeline.0 {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Value::Missing))
    }

    fn command(
        &self,
        command: &'a Command,
        dot: &Value<'a>,
        last: Option<Value<'a>>,
    ) -> Result<Value<'a>, TemplateError> {
        let Operand::Function(function) = command.head else {
            return self.operand(&command.head, dot);
        };
        if matches!(function, Function::And | Function::Or) {
            return self.first_that_decides(function, &command.arguments, dot, last);
        }
        let values: Result<Vec<_>, _> = command
            .arguments
            .iter()
            .map(|argument| self.operand(argument, dot))
            .chain(last.map(Ok))
            .collect();
        function.call(&values?)
    }

    /// `and` is its first argument that does not hold, `or` the first that does, else the last.
    fn first_that_decides(
        &self,
        function: Function,
        arguments: &'a [Operand],
        dot: &Value<'a>,
        last: Option<Value<'a>>,
    ) -> Result<Value<'a>, TemplateError> {
        let mut decided = None;
        for argument in arguments {
            let value = self.operand(argument, dot)?;
            if value.is_true() == (function == Function::Or) {
                return Ok(value);
            }
            decided = Some(value);
        }
        last.or(decided)
            .ok_or_else(|| TemplateError::Failed("and, or need arguments".to_owned()))
    }

    fn operand(&self, operand: &'a Operand, dot: &Value<'a>) -> Result<Value<'a>, TemplateError> {
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Field(names) => self.fields(dot.clone(), names),
            Operand::Variable(name, names) => {
                let variable = self.variables.iter().rev().find(|it| it.0 == name);
                let value = variable.map_or(Value::Missing, |it| it.1.clone());
                self.fields(value, names)
            }
            Operand::Function(function) => function.call(&[]),
            Operand::Text(text) => Ok(Value::text(text.as_str())),
            Operand::Number(number) => Ok(Value::Number(*number)),
            Operand::Truth(truth) => Ok(Value::Truth(*truth)),
            Operand::Nil => Ok(Value::Missing),
            Operand::Nested(pipeline, names) => self.fields(self.pipeline(pipeline, dot)?, names),
        }
    }

    fn fields(&self, of: Value<'a>, names: &[String]) -> Result<Value<'a>, TemplateError> {
        names.iter().try_fold(of, |of, name| self.field(&of, name))
    }

    fn field(&self, of: &Value<'a>, name: &str) -> Result<Value<'a>, TemplateError> {
        match of {
            Value::Root => {
                let field = self.context.fields.get(name);
                let field = field.map(|text| Value::text(*text));
                let map = || self.context.maps.get(name).map(|map| Value::Map(map));
                field.or_else(map).ok_or_else(|| self.unknown(name))
            }
            Value::Map(map) => Ok(map
                .get(name)
                .map_or(Value::Missing, |entry| Value::text(entry.as_str()))),
            Value::Missing => Ok(Value::Missing),
            _ => Err(TemplateError::Failed(format!(
                ".{name}: only maps have fields"
            ))),
        }
    }

    fn unknown(&self, name: &str) -> TemplateError {
        let known = self.context.fields.keys().chain(self.context.maps.keys());
        let known: Vec<String> = known.map(|name| format!(".{name}")).collect();
        TemplateError::UnknownField(format!(".{name}: there are {}", known.join(", ")))
    }
}
