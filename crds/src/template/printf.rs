//! Formatting as Go's `fmt` does it, for the verbs that texts, numbers and truths have.

use super::eval::Value;
use super::{LONGEST, TemplateError};

/// Values one after the other, with a space between two that are not texts.
pub(super) fn print(values: &[Value<'_>]) -> Result<String, TemplateError> {
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        let is_text = |value: &Value<'_>| matches!(value, Value::Text(_));
        if at > 0 && !is_text(value) && !is_text(&values[at - 1]) {
            text.push(' ');
        }
        push(&mut text, &value.argument_text()?)?;
    }
    Ok(text)
}

/// Values with spaces between them, and a line end.
pub(super) fn println(values: &[Value<'_>]) -> Result<String, TemplateError> {
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(' ');
        }
        push(&mut text, &value.argument_text()?)?;
    }
    text.push('\n');
    Ok(text)
}

fn push(text: &mut String, more: &str) -> Result<(), TemplateError> {
    if text.len() + more.len() > LONGEST {
        return Err(TemplateError::TooLong);
    }
    text.push_str(more);
    Ok(())
}

/// `format` with its verbs replaced by `values`. A verb that does not fit its value is an error:
/// Go would print a note, and a note is not a host.
pub(super) fn printf(format: &str, values: &[Value<'_>]) -> Result<String, TemplateError> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some((plain, directive)) = rest.split_once('%') {
        text.push_str(plain);
        let (verb, after) = Verb::read(directive)?;
        rest = after;
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        let value = values
            .next()
            .ok_or_else(|| failed(format!("printf: no value for %{}", verb.letter)))?;
        push(&mut text, &verb.write(value)?)?;
    }
    text.push_str(rest);
    match values.next() {
        None => Ok(text),
        Some(_) => Err(failed("printf: more values than verbs")),
    }
}

fn failed(text: impl Into<String>) -> TemplateError {
    TemplateError::Failed(text.into())
}

/// `%-08.3s`, taken apart.
struct Verb {
    left: bool,
    zeros: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

impl Verb {
    fn read(text: &str) -> Result<(Self, &str), TemplateError> {
        let flags = text.len() - text.trim_start_matches(['-', '0', '+']).len();
        let (flags, rest) = text.split_at(flags);
        let (width, rest) = digits(rest)?;
        let (precision, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (precision, rest) = digits(rest)?;
                (Some(precision), rest)
            }
            None => (None, rest),
        };
        let mut chars = rest.chars();
        let letter = chars
            .next()
            .ok_or_else(|| failed("printf: % without a verb"))?;
        let verb = Self {
            left: flags.contains('-'),
            zeros: flags.contains('0') && !flags.contains('-'),
            plus: flags.contains('+'),
            width,
            precision,
            letter,
        };
        Ok((verb, chars.as_str()))
    }

    fn write(&self, value: &Value<'_>) -> Result<String, TemplateError> {
        let text = match (self.letter, value) {
            ('s' | 'v', Value::Text(text)) => self.cut(text).to_owned(),
            ('q', Value::Text(text)) => format!("{:?}", self.cut(text)),
            ('x', Value::Text(text)) if self.precision.is_none() => {
                text.bytes().map(|byte| format!("{byte:02x}")).collect()
            }
            ('d' | 'v', Value::Number(number)) if self.precision.is_none() => {
                return Ok(self.pad_number(*number));
            }
            ('x', Value::Number(number)) if self.precision.is_none() && *number >= 0 => {
                format!("{number:x}")
            }
            ('t' | 'v', Value::Truth(truth)) => truth.to_string(),
            ('v', Value::Map(_) | Value::Missing) => value.argument_text()?,
            (letter, _) => {
                return Err(failed(format!("printf: %{letter} does not fit its value")));
            }
        };
        Ok(self.pad(&text, if self.zeros { '0' } else { ' ' }))
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end = self
            .precision
            .and_then(|precision| text.char_indices().nth(precision));
        end.map_or(text, |(end, _)| &text[..end])
    }

    fn pad(&self, text: &str, with: char) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let padding: String = std::iter::repeat_n(with, missing).collect();
        if self.left {
            format!("{text}{padding}")
        } else {
            format!("{padding}{text}")
        }
    }

    /// Zeros go between the sign and the digits.
    fn pad_number(&self, number: i64) -> String {
        let sign = match (number < 0, self.plus) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let digits = number.unsigned_abs().to_string();
        if self.zeros {
            let width = self.width.saturating_sub(sign.len());
            return format!("{sign}{digits:0>width$}");
        }
        self.pad(&format!("{sign}{digits}"), ' ')
    }
}

/// A number at the start of `text`, 0 without digits, and what follows.
fn digits(text: &str) -> Result<(usize, &str), TemplateError> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    match digits.parse() {
        _ if digits.is_empty() => Ok((0, rest)),
        Ok(number) if number <= LONGEST => Ok((number, rest)),
        _ => Err(TemplateError::TooLong),
    }
}
