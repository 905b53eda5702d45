//! The bounds of a server: what each is for, what it is by default, and which variable of the
//! environment changes it. The one place for all of them.

use std::time::Duration;

use http::Request;
use thiserror::Error;

use crate::{contract::env, refusal::Refusal};

/// hyper reads a head in no less than this.
pub(super) const SMALLEST_HEAD: u32 = 8 * 1024;

/// Bounds of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeSettings {
    /// `MAX_CONNECTIONS`: connections of one port at a time; more wait in the listen queue.
    pub max_connections: usize,
    /// `HEADER_TIMEOUT_SECONDS`: longest time from the first byte of a request's head to its last;
    /// then 408 (HTTP/1.1). Heads of HTTP/2 are bounded by the idle time.
    pub header_timeout: Duration,
    /// `IDLE_TIMEOUT_SECONDS`: a connection without requests is closed after this time. Longer than
    /// any client of ours keeps its idle connections, or requests race with our closing.
    pub idle_timeout: Duration,
    /// What the head of a request may be.
    pub head: HeadLimits,
    /// `HTTP2_MAX_STREAMS`: requests that one connection may have at once. Another ingress may have
    /// few connections and many requests.
    pub max_streams: u32,
    /// `HTTP2_MAX_RESETS`: resets that one connection may have pending before it is closed (rapid
    /// reset, CVE-2023-44487).
    pub max_resets: usize,
    /// What is in flight may take so long after the request to stop.
    pub drain: Duration,
}

/// What the head of a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// `MAX_HEADER_BYTES`: bytes of the whole head, 8 KiB at least; then 431.
    pub bytes: u32,
    /// `MAX_HEADERS`: fields, counted with their repetitions; then 431. Up to 100 cost nothing.
    pub fields: usize,
    /// `MAX_URI_BYTES`: bytes of path and query; then 414.
    pub uri: usize,
}

/// A variable that can't be a bound.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("environment variable {name} is {value:?}: expected a whole number of at least {least}")]
pub struct BadSetting {
    name: &'static str,
    value: String,
    least: u32,
}

// === impl ServeSettings ===

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            max_connections: 32_768,
            header_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(90),
            head: HeadLimits::default(),
            max_streams: 1024,
            max_resets: 100,
            drain: Duration::from_secs(600),
        }
    }
}

impl ServeSettings {
    /// The defaults, changed by the environment that `read` reads. An empty variable is an absent
    /// one.
    ///
    /// # Errors
    /// Names the variable that is no number, or too small to serve anybody.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let number = |name: &'static str, least: u32, default: u32| {
            let Some(value) = read(name).filter(|value| !value.is_empty()) else {
                return Ok(default);
            };
            match value.parse::<u32>() {
                Ok(number) if number >= least => Ok(number),
                Ok(_) | Err(_) => Err(BadSetting { name, value, least }),
            }
        };
        let count = |name, default: usize| {
            let default = u32::try_from(default).unwrap_or(u32::MAX);
            number(name, 1, default).map(|number| number as usize)
        };
        let seconds = |name, default: Duration| {
            let default = u32::try_from(default.as_secs()).unwrap_or(u32::MAX);
            number(name, 1, default).map(|number| Duration::from_secs(number.into()))
        };
        let default = Self::default();
        Ok(Self {
            max_connections: count(env::MAX_CONNECTIONS, default.max_connections)?,
            header_timeout: seconds(env::HEADER_TIMEOUT_SECONDS, default.header_timeout)?,
            idle_timeout: seconds(env::IDLE_TIMEOUT_SECONDS, default.idle_timeout)?,
            head: HeadLimits {
                bytes: number(env::MAX_HEADER_BYTES, SMALLEST_HEAD, default.head.bytes)?,
                fields: count(env::MAX_HEADERS, default.head.fields)?,
                uri: count(env::MAX_URI_BYTES, default.head.uri)?,
            },
            max_streams: number(env::HTTP2_MAX_STREAMS, 1, default.max_streams)?,
            max_resets: count(env::HTTP2_MAX_RESETS, default.max_resets)?,
            drain: default.drain,
        })
    }
}

// === impl HeadLimits ===

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024,
            fields: 100,
            uri: 32 * 1024,
        }
    }
}

impl HeadLimits {
    /// Whether a request whose head was read may go on. The parsers have stopped at what is far
    /// beyond the bounds; they read a little more in one go, and that of HTTP/2 counts no fields.
    ///
    /// # Errors
    /// The answer.
    pub fn admit<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let headers = request.headers();
        if uri_bytes(request) > self.uri {
            Err(Refusal::UriTooLong)
        } else if headers.len() > self.fields || head_bytes(request) > self.bytes as usize {
            Err(Refusal::HeadTooLarge)
        } else {
            Ok(())
        }
    }
}

/// Bytes of path, query and header fields.
pub fn head_bytes<B>(request: &Request<B>) -> usize {
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len());
    uri_bytes(request) + fields.sum::<usize>()
}

fn uri_bytes<B>(request: &Request<B>) -> usize {
    let path = request.uri().path_and_query();
    path.map_or(0, |path| path.as_str().len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Duration, ServeSettings};

    fn read(environment: &[(&str, &str)]) -> Result<ServeSettings, String> {
        let environment: BTreeMap<_, _> = environment.iter().copied().collect();
        ServeSettings::read(|name| environment.get(name).map(|value| (*value).to_owned()))
            .map_err(|bad| bad.to_string())
    }

    #[test]
    fn environment_changes_the_defaults() {
        assert_eq!(read(&[]), Ok(ServeSettings::default()));
        let changed = read(&[
            ("MAX_CONNECTIONS", "7"),
            ("HEADER_TIMEOUT_SECONDS", "8"),
            ("IDLE_TIMEOUT_SECONDS", "9"),
            ("MAX_HEADER_BYTES", "9000"),
            ("MAX_HEADERS", "11"),
            ("MAX_URI_BYTES", "12"),
            ("HTTP2_MAX_STREAMS", "13"),
            ("HTTP2_MAX_RESETS", "14"),
        ])
        .unwrap();
        assert_eq!(
            (changed.max_connections, changed.header_timeout),
            (7, Duration::from_secs(8))
        );
        assert_eq!(changed.idle_timeout, Duration::from_secs(9));
        let head = changed.head;
        assert_eq!((head.bytes, head.fields, head.uri), (9000, 11, 12));
        assert_eq!((changed.max_streams, changed.max_resets), (13, 14));
    }

    #[test]
    fn bound_that_would_serve_nobody_is_refused_by_name() {
        for (name, value) in [
            ("MAX_CONNECTIONS", "0"),
            ("MAX_HEADER_BYTES", "8000"),
            ("IDLE_TIMEOUT_SECONDS", "-1"),
            ("MAX_HEADERS", "many"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
        assert_eq!(read(&[("MAX_HEADERS", "")]), Ok(ServeSettings::default()));
    }
}
