//! Templates of the request log: the part of Go's template language that such templates use.

use std::fmt::{self, Write as _};

use http::{HeaderName, Version, header};
use thiserror::Error;

use super::{Answered, Asked, Identity};
use crate::serve::Transport;

/// A line with gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A template that we can't fill.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("an action is not closed")]
    Unclosed,
    /// An action that we don't know.
    #[error("action {{{{{0}}}}} is not known")]
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Gap { value: Value, escaped: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Method,
    Host,
    RequestUri,
    ContentLength,
    UserAgent,
    RemoteAddr,
    Referer,
    Proto,
    Tls,
    Header(HeaderName),
    Code,
    Size,
    Latency,
    TraceId,
    RevisionName,
    Namespace,
    Service,
    Configuration,
    PodName,
    PodIp,
}

// === impl Template ===

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Names the first action that we don't know.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (action, after) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(gap(action.trim_matches('-').trim())?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.trim_end_matches('\n').to_owned()));
        }
        Ok(Self { parts })
    }

    /// The line of one request, without its end.
    pub fn render(&self, asked: &Asked, answered: Answered, identity: &Identity) -> String {
        let mut line = String::with_capacity(512);
        for part in &self.parts {
            // Writing to a String can't fail.
            let _ = match part {
                Part::Text(text) => line.write_str(text),
                Part::Gap {
                    value,
                    escaped: true,
                } => value.write(&mut Escaped(&mut line), asked, answered, identity),
                Part::Gap { value, .. } => value.write(&mut line, asked, answered, identity),
            };
        }
        line
    }
}

fn gap(action: &str) -> Result<Part, TemplateError> {
    let (escaped, path) = match action.strip_prefix("js ") {
        Some(path) => (true, path.trim()),
        None => (false, action),
    };
    let value = match path.strip_prefix("index .Request.Header ") {
        Some(name) => header_of(name),
        None => Value::of(path),
    };
    match value {
        Some(value) => Ok(Part::Gap { value, escaped }),
        None => Err(TemplateError::Unknown(action.to_owned())),
    }
}

fn header_of(quoted: &str) -> Option<Value> {
    let name = quoted.trim().trim_matches(['"', '`']);
    HeaderName::try_from(name).ok().map(Value::Header)
}

// === impl Value ===

impl Value {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            ".Request.Method" => Self::Method,
            ".Request.Host" => Self::Host,
            ".Request.RequestURI" | ".Request.URL" => Self::RequestUri,
            ".Request.ContentLength" => Self::ContentLength,
            ".Request.UserAgent" => Self::UserAgent,
            ".Request.RemoteAddr" => Self::RemoteAddr,
            ".Request.Referer" => Self::Referer,
            ".Request.Proto" => Self::Proto,
            ".Request.TLS" => Self::Tls,
            ".Response.Code" => Self::Code,
            ".Response.Size" => Self::Size,
            ".Response.Latency" => Self::Latency,
            ".TraceID" => Self::TraceId,
            ".Revision.Name" => Self::RevisionName,
            ".Revision.Namespace" => Self::Namespace,
            ".Revision.Service" => Self::Service,
            ".Revision.Configuration" => Self::Configuration,
            ".Revision.PodName" => Self::PodName,
            ".Revision.PodIP" => Self::PodIp,
            _ => return None,
        })
    }

    fn write(
        &self,
        out: &mut impl fmt::Write,
        asked: &Asked,
        answered: Answered,
        identity: &Identity,
    ) -> fmt::Result {
        match self {
            Self::Method => out.write_str(asked.method.as_str()),
            Self::Host => out.write_str(&asked.host),
            Self::RequestUri => {
                let path = asked.uri.path_and_query();
                out.write_str(path.map_or("/", |path| path.as_str()))
            }
            Self::ContentLength => match asked.length {
                Some(length) => write!(out, "{length}"),
                None => out.write_str("-1"),
            },
            Self::UserAgent => out.write_str(asked.header(header::USER_AGENT)),
            Self::RemoteAddr => out.write_str(&asked.peer),
            Self::Referer => out.write_str(asked.header(header::REFERER)),
            Self::Proto => out.write_str(proto(asked.version)),
            // As Go prints a pointer that is nil, or a struct: of the many fields of its
            // ConnectionState this is HandshakeComplete.
            Self::Tls => out.write_str(match asked.transport {
                Transport::Plain => "<nil>",
                Transport::Tls => "{true}",
            }),
            Self::Header(name) => write!(out, "[{}]", asked.header(name)),
            Self::Code => write!(out, "{}", answered.status.as_u16()),
            Self::Size => write!(out, "{}", answered.size),
            Self::Latency => write!(out, "{}", answered.seconds),
            Self::TraceId => out.write_str(trace_id(asked)),
            Self::RevisionName => out.write_str(&identity.revision),
            Self::Namespace => out.write_str(&identity.namespace),
            Self::Service => out.write_str(&identity.service),
            Self::Configuration => out.write_str(&identity.configuration),
            Self::PodName => out.write_str(&identity.pod),
            Self::PodIp => out.write_str(&identity.pod_ip),
        }
    }
}

fn proto(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// From W3C's header (`00-<trace>-<span>-01`), or from B3's.
fn trace_id(asked: &Asked) -> &str {
    match asked.header("traceparent").split('-').nth(1) {
        Some(id) => id,
        None => asked.header("x-b3-traceid"),
    }
}

// === Escaped ===

/// Writes what may stand between the quotes of a JSON text.
struct Escaped<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '"' | '\\' => write!(self.0, "\\{character}")?,
                '<' | '>' | '&' | '\'' | '=' => write!(self.0, "\\u{:04X}", u32::from(character))?,
                control if control.is_control() => {
                    write!(self.0, "\\u{:04X}", u32::from(control))?;
                }
                plain => self.0.write_char(plain)?,
            }
        }
        Ok(())
    }
}
