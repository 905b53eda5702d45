//! The functions that every template knows.

use std::cmp::Ordering;

use super::eval::Value;
use super::{TemplateError, printf};

/// A function by its name in templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Or,
    Not,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Index,
    Slice,
    Len,
    Print,
    Println,
    Printf,
    /// One that Go knows and that makes no sense in a host: accepted as text, never carried out.
    Foreign(&'static str),
}

const NAMES: [(&str, Function); 15] = [
    ("and", Function::And),
    ("or", Function::Or),
    ("not", Function::Not),
    ("eq", Function::Eq),
    ("ne", Function::Ne),
    ("lt", Function::Lt),
    ("le", Function::Le),
    ("gt", Function::Gt),
    ("ge", Function::Ge),
    ("index", Function::Index),
    ("slice", Function::Slice),
    ("len", Function::Len),
    ("print", Function::Print),
    ("println", Function::Println),
    ("printf", Function::Printf),
];

const FOREIGN: [&str; 4] = ["call", "html", "js", "urlquery"];

type Outcome<'a> = Result<Value<'a>, TemplateError>;

fn failed<T>(text: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError::Failed(text.into()))
}

impl Function {
    pub(super) fn of(name: &str) -> Result<Self, TemplateError> {
        if let Some((_, function)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*function);
        }
        match FOREIGN.iter().find(|known| **known == name) {
            Some(known) => Ok(Self::Foreign(known)),
            None => Err(TemplateError::Syntax(format!(
                "function {name:?} not defined"
            ))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Foreign(name) => name,
            function => NAMES
                .iter()
                .find(|(_, known)| *known == function)
                .map_or("", |(name, _)| *name),
        }
    }

    /// What the function makes of its arguments. `and` and `or` ask for no more of them than they
    /// need; their caller sees to that.
    pub(super) fn call<'a>(self, arguments: &[Value<'a>]) -> Outcome<'a> {
        match (self, arguments) {
            (Self::Not, [value]) => Ok(Value::Truth(!value.is_true())),
            (Self::Eq, [first, others @ ..]) if !others.is_empty() => equals(first, others),
            (Self::Ne, [left, right]) => match equals(left, std::slice::from_ref(right))? {
                Value::Truth(same) => Ok(Value::Truth(!same)),
                other => Ok(other),
            },
            (Self::Lt, [left, right]) => order(left, right).map(|it| Value::Truth(it.is_lt())),
            (Self::Le, [left, right]) => order(left, right).map(|it| Value::Truth(it.is_le())),
            (Self::Gt, [left, right]) => order(left, right).map(|it| Value::Truth(it.is_gt())),
            (Self::Ge, [left, right]) => order(left, right).map(|it| Value::Truth(it.is_ge())),
            (Self::Index, [of, keys @ ..]) => index(of, keys),
            (Self::Slice, [of, ends @ ..]) => slice(of, ends),
            (Self::Len, [Value::Text(text)]) => Ok(number(text.len())),
            (Self::Len, [Value::Map(map)]) => Ok(number(map.len())),
            (Self::Print, values) => Ok(Value::text(printf::print(values)?)),
            (Self::Println, values) => Ok(Value::text(printf::println(values)?)),
            (Self::Printf, [Value::Text(format), values @ ..]) => {
                Ok(Value::text(printf::printf(format, values)?))
            }
            (Self::Foreign(name), _) => {
                Err(TemplateError::Unsupported(format!("the function {name:?}")))
            }
            (function, values) => failed(format!(
                "{} can't be called with these {} arguments",
                function.name(),
                values.len()
            )),
        }
    }
}

fn number(length: usize) -> Value<'static> {
    Value::Number(i64::try_from(length).unwrap_or(i64::MAX))
}

/// Whether `first` is one of `others`.
fn equals<'a>(first: &Value<'_>, others: &[Value<'_>]) -> Outcome<'a> {
    let mut found = false;
    for other in others {
        let same = match (first, other) {
            (Value::Text(left), Value::Text(right)) => left == right,
            (Value::Number(left), Value::Number(right)) => left == right,
            (Value::Truth(left), Value::Truth(right)) => left == right,
            (Value::Missing, Value::Missing) => true,
            (Value::Missing, Value::Text(_) | Value::Number(_) | Value::Truth(_))
            | (Value::Text(_) | Value::Number(_) | Value::Truth(_), Value::Missing) => false,
            _ => return failed("incompatible types for comparison"),
        };
        if same {
            found = true;
            break;
        }
    }
    Ok(Value::Truth(found))
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Result<Ordering, TemplateError> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => Ok(left.cmp(right)),
        _ => failed("incompatible types for comparison"),
    }
}

fn index<'a>(of: &Value<'a>, keys: &[Value<'_>]) -> Outcome<'a> {
    match (of, keys) {
        (of, []) => Ok(of.clone()),
        (Value::Map(map), [Value::Text(key)]) => {
            let entry = map.get(key.as_ref()).map_or("", String::as_str);
            Ok(Value::text(entry))
        }
        (Value::Text(text), [Value::Number(at)]) => {
            match usize::try_from(*at)
                .ok()
                .and_then(|at| text.as_bytes().get(at))
            {
                Some(byte) => Ok(Value::Number(i64::from(*byte))),
                None => failed(format!("index out of range: {at}")),
            }
        }
        _ => failed("index needs a map and a text, or a text and a number"),
    }
}

fn slice<'a>(of: &Value<'a>, ends: &[Value<'_>]) -> Outcome<'a> {
    let Value::Text(text) = of else {
        return failed("slice needs a text");
    };
    let (from, to) = match ends {
        [] => (0, text.len()),
        [Value::Number(from)] => (position(*from)?, text.len()),
        [Value::Number(from), Value::Number(to)] => (position(*from)?, position(*to)?),
        _ => return failed("slice needs at most two numbers"),
    };
    match text.get(from..to) {
        Some(part) => Ok(Value::text(part.to_owned())),
        None => failed(format!("index out of range: {from} to {to}")),
    }
}

fn position(number: i64) -> Result<usize, TemplateError> {
    usize::try_from(number).or_else(|_| failed(format!("index out of range: {number}")))
}
