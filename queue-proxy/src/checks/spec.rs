//! The JSON of a core/v1 Probe, and what we make of it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Uri};
use serde::Deserialize;
use thiserror::Error;
use tracing::warn;

use super::{AGGRESSIVE_TIMEOUT, Check, Kind, Rhythm, probe_headers};

/// A probe as the revision's author wrote it; the operator has filled in address and port.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeSpec {
    http_get: Option<HttpGet>,
    tcp_socket: Option<TcpSocket>,
    grpc: Option<Grpc>,
    initial_delay_seconds: u32,
    timeout_seconds: u32,
    period_seconds: u32,
    success_threshold: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpGet {
    host: String,
    port: u16,
    path: String,
    scheme: String,
    http_headers: Vec<Header>,
}

#[derive(Debug, Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TcpSocket {
    host: String,
    port: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Grpc {
    port: u16,
    service: Option<String>,
}

/// A probe that can't be asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SpecError {
    /// Not an IP address.
    #[error("probe host {0:?} is no IP address")]
    Host(String),
    /// Not a path.
    #[error("probe path {0:?} is no path")]
    Path(String),
    /// Not a header.
    #[error("probe header {0:?} is no header")]
    Header(String),
}

impl Check {
    /// What `spec` asks; without a handler, whether something listens at `user_port`.
    ///
    /// # Errors
    /// Says which part can't be asked.
    pub fn try_from_spec(spec: ProbeSpec, user_port: u16) -> Result<Self, SpecError> {
        let rhythm = Rhythm::of(&spec);
        let (kind, address) = match spec {
            ProbeSpec {
                http_get: Some(http),
                ..
            } => http.into_kind(user_port)?,
            ProbeSpec {
                grpc: Some(grpc), ..
            } => {
                let service = grpc.service.unwrap_or_default();
                (Kind::Grpc { service }, address("", grpc.port, user_port)?)
            }
            ProbeSpec { tcp_socket, .. } => {
                let tcp = tcp_socket.unwrap_or_default();
                (Kind::Tcp, address(&tcp.host, tcp.port, user_port)?)
            }
        };
        Ok(Self {
            kind,
            address,
            rhythm,
        })
    }
}

impl HttpGet {
    fn into_kind(self, user_port: u16) -> Result<(Kind, SocketAddr), SpecError> {
        let address = address(&self.host, self.port, user_port)?;
        if self.scheme.eq_ignore_ascii_case("https") {
            // TLS to the app would double the sidecar; plain HTTP would never be answered.
            warn!(
                port = address.port(),
                "https probe: only asked whether the port listens"
            );
            return Ok((Kind::Tcp, address));
        }
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        let uri = format!("{slash}{}", self.path)
            .parse::<Uri>()
            .map_err(|_| SpecError::Path(self.path))?;
        let headers: Result<Vec<_>, _> = self.http_headers.into_iter().map(Header::parse).collect();
        let host = HeaderValue::try_from(address.to_string())
            .map_err(|_| SpecError::Host(address.to_string()))?;
        let headers = Box::new(probe_headers(headers?, host));
        let kind = Kind::Http {
            uri,
            headers,
            http2: false,
        };
        Ok((kind, address))
    }
}

impl Header {
    fn parse(self) -> Result<(HeaderName, HeaderValue), SpecError> {
        let name = HeaderName::try_from(&self.name);
        let value = HeaderValue::try_from(self.value);
        match (name, value) {
            (Ok(name), Ok(value)) => Ok((name, value)),
            (Err(_), _) | (_, Err(_)) => Err(SpecError::Header(self.name)),
        }
    }
}

impl Rhythm {
    fn of(spec: &ProbeSpec) -> Self {
        let timeout = match spec.period_seconds {
            0 => AGGRESSIVE_TIMEOUT,
            _ => Duration::from_secs(u64::from(spec.timeout_seconds.max(1))),
        };
        // Of a periodic probe kubelet counts the successes.
        let successes = match spec.period_seconds {
            0 => spec.success_threshold.max(1),
            _ => 1,
        };
        Self {
            delay: Duration::from_secs(u64::from(spec.initial_delay_seconds)),
            timeout,
            periodic: spec.period_seconds > 0,
            successes,
        }
    }
}

fn address(host: &str, port: u16, user_port: u16) -> Result<SocketAddr, SpecError> {
    let ip = match host {
        "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| SpecError::Host(host.to_owned()))?,
    };
    let port = if port == 0 { user_port } else { port };
    Ok(SocketAddr::new(ip, port))
}
