//! The environment (contract/control-plane 2.4, contract/data-plane 3.1), read once and checked.

use std::{fmt::Display, str::FromStr, time::Duration};

pub use net::request_log::Identity;
use net::{
    announcement::RevisionKey,
    contract::{env, port},
    serve::{BadSetting, ServeSettings},
    timeout::Limits,
    tls::{BadTlsSetting, TlsSettings, TlsVariables},
};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::checks::{Check, Checks, ProbeSpec, SpecError};

/// What the pod's author wants.
#[derive(Clone, Debug)]
pub struct Args {
    /// Requests that the app may have at once; None is no limit.
    pub limit: Option<usize>,
    /// Port for requests.
    pub serving_port: u16,
    /// Port for requests over TLS; open only where there is a certificate.
    pub serving_tls_port: u16,
    /// Port of the app.
    pub user_port: u16,
    /// How long requests may take.
    pub limits: Limits,
    /// How to find out whether the app is ready.
    pub checks: Checks,
    /// Who we are.
    pub identity: Identity,
    /// What is logged and measured.
    pub observability: Observability,
    /// Whom to tell that the app is ready; None where only kubelet can know.
    pub herald: Option<Herald>,
    /// Bounds of the ports for requests.
    pub bounds: ServeSettings,
    /// What is spoken over TLS.
    pub tls: TlsSettings,
}

/// Whom to tell that the app is ready, and how to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Herald {
    /// `host:port`; every address of the host is told.
    pub to: String,
    /// Signs what is told.
    pub key: RevisionKey,
}

/// The keys of config-observability that concern us; all values are texts there.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Observability {
    /// Whether requests are logged.
    #[serde(
        rename = "logging.enable-request-log",
        alias = "enableRequestLog",
        deserialize_with = "switch"
    )]
    pub request_log: bool,
    /// Whether probes are logged too.
    #[serde(
        rename = "logging.enable-probe-request-log",
        alias = "enableProbeRequestLog",
        deserialize_with = "switch"
    )]
    pub probe_log: bool,
    /// One line of the request log; None is the default.
    #[serde(rename = "logging.request-log-template", alias = "requestLogTemplate")]
    pub template: Option<String>,
    /// `legacy` shows metrics under the names of Knative 1.18 and before, too.
    #[serde(rename = "metrics-compat")]
    pub metrics_compat: String,
}

/// A variable that we can't work with.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ArgsError {
    /// It must be there.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// It must be something else.
    #[error("environment variable {name} is {value:?}: {why}")]
    Invalid {
        /// Which.
        name: &'static str,
        /// What it is.
        value: String,
        /// What is wrong.
        why: String,
    },
    /// It is no bound of a port.
    #[error(transparent)]
    Bound(#[from] BadSetting),
    /// It leaves nothing to speak over TLS.
    #[error(transparent)]
    Tls(#[from] BadTlsSetting),
}

type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

// === impl ArgsError ===

impl ArgsError {
    /// The same for a variable that is nobody's business.
    fn without_value(self) -> Self {
        match self {
            Self::Invalid { name, why, .. } => Self::Invalid {
                name,
                value: "(secret)".to_owned(),
                why,
            },
            other @ (Self::Missing(_) | Self::Bound(_) | Self::Tls(_)) => other,
        }
    }
}

// === impl Args ===

impl Args {
    /// Reads the environment through `read`.
    ///
    /// # Errors
    /// Names the first variable that is missing or wrong.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Result<Self, ArgsError> {
        let read: Read<'_> = &read;
        let limit: usize = required(read, env::CONTAINER_CONCURRENCY)?;
        let user_port: u16 = required(read, env::USER_PORT)?;
        let seconds = |name| optional::<u64>(read, name).map(Option::unwrap_or_default);
        Ok(Self {
            limit: (limit > 0).then_some(limit),
            serving_port: required(read, env::QUEUE_SERVING_PORT)?,
            serving_tls_port: optional(read, env::QUEUE_SERVING_TLS_PORT)?
                .unwrap_or(port::QUEUE_HTTPS),
            user_port,
            limits: Limits::from_seconds(
                required(read, env::REVISION_TIMEOUT_SECONDS)?,
                seconds(env::REVISION_RESPONSE_START_TIMEOUT_SECONDS)?,
                seconds(env::REVISION_IDLE_TIMEOUT_SECONDS)?,
            ),
            checks: checks(read, user_port)?,
            identity: identity(read)?,
            observability: observability(read)?,
            herald: herald(read)?,
            bounds: ServeSettings::read(read)?,
            tls: TlsSettings::read(TlsVariables::QUEUE_PROXY, read)?,
        })
    }
}

/// The names of this pod.
fn identity(read: Read<'_>) -> Result<Identity, ArgsError> {
    Ok(Identity {
        namespace: required(read, env::SERVING_NAMESPACE)?,
        service: read(env::SERVING_SERVICE).unwrap_or_default(),
        configuration: required(read, env::SERVING_CONFIGURATION)?,
        revision: required(read, env::SERVING_REVISION)?,
        pod: required(read, env::SERVING_POD)?,
        pod_ip: read(env::SERVING_POD_IP).unwrap_or_default(),
    })
}

fn required<T>(read: Read<'_>, name: &'static str) -> Result<T, ArgsError>
where
    T: FromStr,
    T::Err: Display,
{
    optional(read, name)?.ok_or(ArgsError::Missing(name))
}

/// Empty counts as absent: that is how templates leave something out.
fn optional<T>(read: Read<'_>, name: &'static str) -> Result<Option<T>, ArgsError>
where
    T: FromStr,
    T::Err: Display,
{
    let Some(value) = read(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error) => Err(invalid(name, value, &error)),
    }
}

fn invalid(name: &'static str, value: String, why: &dyn Display) -> ArgsError {
    ArgsError::Invalid {
        name,
        value,
        why: why.to_string(),
    }
}

/// Without a probe, an app is ready when something listens on its port.
fn checks(read: Read<'_>, user_port: u16) -> Result<Checks, ArgsError> {
    let name = env::SERVING_READINESS_PROBE;
    let Some(text) = read(name).filter(|text| !text.is_empty()) else {
        return Ok(Checks::of_port(user_port));
    };
    let specs = serde_json::from_str::<OneOrMany>(&text)
        .map_err(|error| invalid(name, text.clone(), &error))?;
    let specs = match specs {
        OneOrMany::One(spec) => vec![*spec],
        OneOrMany::Many(specs) => specs,
    };
    let http2 = optional(read, env::ENABLE_HTTP2_AUTO_DETECTION)?.unwrap_or(false);
    let check = |spec| {
        let check = Check::try_from_spec(spec, user_port)?;
        Ok::<_, SpecError>(check.detecting_http2(http2))
    };
    let checks: Result<Vec<Check>, _> = specs.into_iter().map(check).collect();
    let checks = checks.map_err(|error| invalid(name, text, &error))?;
    Ok(match checks.as_slice() {
        [] => Checks::of_port(user_port),
        [..] => Checks::new(checks),
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<ProbeSpec>),
    One(Box<ProbeSpec>),
}

/// Both variables or none.
fn herald(read: Read<'_>) -> Result<Option<Herald>, ArgsError> {
    let key = optional(read, env::FERMATA_ANNOUNCEMENT_KEY).map_err(ArgsError::without_value)?;
    let to = optional(read, env::FERMATA_ANNOUNCE_TO)?;
    Ok(key.zip(to).map(|(key, to)| Herald { to, key }))
}

fn observability(read: Read<'_>) -> Result<Observability, ArgsError> {
    let name = env::OBSERVABILITY_CONFIG;
    match read(name).filter(|text| !text.is_empty()) {
        Some(text) => serde_json::from_str(&text).map_err(|error| invalid(name, text, &error)),
        None => Ok(Observability::default()),
    }
}

/// A switch of a config map is a text; upstream's own JSON has a boolean.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Switch {
        Bool(bool),
        Text(String),
    }
    Ok(match Switch::deserialize(deserializer)? {
        Switch::Bool(on) => on,
        Switch::Text(text) => text.eq_ignore_ascii_case("true"),
    })
}

/// How long a drain waits for requests in flight before the app hears of the end: all the grace
/// that kubelet gives (it is the revision's timeout), less what the app needs for itself.
pub fn drain_patience(limits: &Limits) -> Duration {
    const FOR_THE_APP: Duration = Duration::from_secs(15);
    let total = limits.total.unwrap_or(Duration::from_secs(300));
    total - FOR_THE_APP.min(total / 2)
}

#[cfg(test)]
mod tests;
