use std::time::Duration;

use super::reader::{Reader, any_length};
use super::{ConfigError, Data};
use crate::template::{Template, TemplateError};

/// config-observability: logs, metrics and traces.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservabilityConfig {
    /// Whether `/var/log` of user containers is a volume of its own.
    pub logging_enable_var_log_collection: bool,
    /// URL of a revision's logs; `${REVISION_UID}` stands for its uid. Empty: none.
    pub logging_revision_url_template: String,
    /// One line of the request log.
    pub logging_request_log_template: String,
    /// Whether sidecars log requests.
    pub logging_enable_request_log: bool,
    /// Whether sidecars log probes.
    pub logging_enable_probe_request_log: bool,
    /// Where metrics of the system go.
    pub metrics: Exporter<MetricsProtocol>,
    /// Where metrics of sidecars go.
    pub request_metrics: Exporter<MetricsProtocol>,
    /// Which names metrics have.
    pub metrics_compat: MetricsCompat,
    /// Where traces go.
    pub tracing: Exporter<TracingProtocol>,
    /// Share of requests that are traced, 0 to 1.
    pub tracing_sampling_rate: f64,
    /// Whether the system can be profiled.
    pub runtime_profiling: bool,
    /// How often measurements of the process are taken.
    pub runtime_export_interval: Duration,
}

/// Where something is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exporter<Protocol> {
    /// How it is sent.
    pub protocol: Protocol,
    /// To whom; empty where the protocol needs nobody.
    pub endpoint: String,
    /// How often; nothing is the exporter's default.
    pub export_interval: Option<Duration>,
}

/// How metrics are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsProtocol {
    /// They are not.
    #[default]
    None,
    /// They can be scraped.
    Prometheus,
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    HttpProtobuf,
}

/// Which names metrics have (contract/data-plane 5). Ours, not upstream's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsCompat {
    /// Those since Knative 1.19.
    #[default]
    Current,
    /// Those of Knative 1.18 and before, too.
    Legacy,
}

/// How traces are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TracingProtocol {
    /// They are not.
    #[default]
    None,
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    HttpProtobuf,
    /// They are printed.
    Stdout,
}

const METRICS: [(&str, MetricsProtocol); 4] = [
    ("none", MetricsProtocol::None),
    ("prometheus", MetricsProtocol::Prometheus),
    ("grpc", MetricsProtocol::Grpc),
    ("http/protobuf", MetricsProtocol::HttpProtobuf),
];

const COMPAT: [(&str, MetricsCompat); 2] = [
    ("current", MetricsCompat::Current),
    ("legacy", MetricsCompat::Legacy),
];

const TRACING: [(&str, TracingProtocol); 4] = [
    ("none", TracingProtocol::None),
    ("grpc", TracingProtocol::Grpc),
    ("http/protobuf", TracingProtocol::HttpProtobuf),
    ("stdout", TracingProtocol::Stdout),
];

/// The request log line that the peer writes; its users parse it (contract/data-plane 3.7).
const REQUEST_LOG: &str = concat!(
    r#"{"httpRequest": {"requestMethod": "{{.Request.Method}}", "#,
    r#""requestUrl": "{{js .Request.RequestURI}}", "#,
    r#""requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}}, "#,
    r#""responseSize": "{{.Response.Size}}", "userAgent": "{{js .Request.UserAgent}}", "#,
    r#""remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": "{{.Revision.PodIP}}", "#,
    r#""referer": "{{js .Request.Referer}}", "latency": "{{.Response.Latency}}s", "#,
    r#""protocol": "{{.Request.Proto}}"}, "traceId": "{{.TraceID}}"}"#,
);

impl Default for ObservabilityConfig {
    fn default() -> Self {
        Self {
            logging_enable_var_log_collection: false,
            logging_revision_url_template: String::new(),
            logging_request_log_template: REQUEST_LOG.to_owned(),
            logging_enable_request_log: false,
            logging_enable_probe_request_log: false,
            metrics: Exporter::default(),
            request_metrics: Exporter::default(),
            metrics_compat: MetricsCompat::default(),
            tracing: Exporter::default(),
            tracing_sampling_rate: 0.0,
            runtime_profiling: false,
            runtime_export_interval: Duration::from_secs(15),
        }
    }
}

impl ObservabilityConfig {
    /// Reads the data of config-observability.
    pub fn parse(data: &Data) -> Result<Self, ConfigError> {
        Self::read(&Reader::new(data))
    }

    pub(super) fn read(data: &Reader<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.read_tracing(data)?;
        config.metrics = metrics(data, "")?;
        config.read_runtime(data)?;
        config.request_metrics = metrics(data, "request-")?;
        config.metrics_compat = compat(data)?;
        config.read_logging(data)?;
        Ok(config)
    }

    fn read_logging(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        const TEMPLATE: &str = "logging.request-log-template";
        for (key, field) in [
            (
                "logging.enable-var-log-collection",
                &mut self.logging_enable_var_log_collection,
            ),
            (
                "logging.enable-request-log",
                &mut self.logging_enable_request_log,
            ),
            (
                "logging.enable-probe-request-log",
                &mut self.logging_enable_probe_request_log,
            ),
        ] {
            data.boolean(&[key], field)?;
        }
        let url = &mut self.logging_revision_url_template;
        data.text(&["logging.revision-url-template"], url);
        data.text(&[TEMPLATE], &mut self.logging_request_log_template);
        let template = &self.logging_request_log_template;
        if template.is_empty() && self.logging_enable_request_log {
            return Err(ConfigError::Invalid(format!(
                "\"logging.enable-request-log\" was set to true, but no {TEMPLATE:?} was specified"
            )));
        }
        match Template::parse(template) {
            Ok(_) => Ok(()),
            Err(TemplateError::Unsupported(what)) => {
                data.note(format!("{TEMPLATE} has no effect: we don't know {what}"));
                Ok(())
            }
            Err(error) => Err(ConfigError::unreadable(TEMPLATE, &error)),
        }
    }

    fn read_tracing(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let mut protocol = "none".to_owned();
        data.text(&["tracing-protocol"], &mut protocol);
        data.text(&["tracing-endpoint"], &mut self.tracing.endpoint);
        data.float("tracing-sampling-rate", &mut self.tracing_sampling_rate)?;
        self.tracing.protocol = named("tracing-protocol", &protocol, &TRACING)?;
        let needs = match self.tracing.protocol {
            TracingProtocol::Grpc | TracingProtocol::HttpProtobuf => Endpoint::Needed,
            TracingProtocol::None | TracingProtocol::Stdout => Endpoint::Unused,
        };
        needs.check(&protocol, "tracing-endpoint", &self.tracing.endpoint)?;
        let rate = self.tracing_sampling_rate;
        if (0.0..=1.0).contains(&rate) {
            return Ok(());
        }
        Err(ConfigError::Invalid(format!(
            "tracing-sampling-rate: sampling rate {rate} should be in [0, 1]"
        )))
    }

    fn read_runtime(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let mut profiling = "disabled".to_owned();
        data.text(&["runtime-profiling"], &mut profiling);
        self.runtime_profiling = match profiling.as_str() {
            "enabled" => true,
            "disabled" => false,
            other => {
                return Err(ConfigError::Invalid(format!(
                    "runtime-profiling: unsupported profile setting {other:?}"
                )));
            }
        };
        let interval = &mut self.runtime_export_interval;
        data.duration(&["runtime-export-interval"], interval, any_length)
    }
}

fn compat(data: &Reader<'_>) -> Result<MetricsCompat, ConfigError> {
    const KEY: &str = "metrics-compat";
    let mut name = "current".to_owned();
    data.text(&[KEY], &mut name);
    chosen((KEY, "names"), &name, &COMPAT)
}

fn metrics(data: &Reader<'_>, prefix: &str) -> Result<Exporter<MetricsProtocol>, ConfigError> {
    let mut exporter = Exporter::default();
    let mut protocol = "none".to_owned();
    let protocol_key = format!("{prefix}metrics-protocol");
    data.text(&[&protocol_key], &mut protocol);
    let key = format!("{prefix}metrics-endpoint");
    data.text(&[&key], &mut exporter.endpoint);
    let mut interval = Duration::ZERO;
    let interval_key = format!("{prefix}metrics-export-interval");
    data.duration(&[&interval_key], &mut interval, any_length)?;
    exporter.export_interval = (!interval.is_zero()).then_some(interval);
    exporter.protocol = named(&protocol_key, &protocol, &METRICS)?;
    let needs = match exporter.protocol {
        MetricsProtocol::Grpc | MetricsProtocol::HttpProtobuf => Endpoint::Needed,
        MetricsProtocol::None => Endpoint::Unused,
        // It may say which port to serve.
        MetricsProtocol::Prometheus => Endpoint::Possible,
    };
    needs.check(&protocol, &key, &exporter.endpoint)?;
    Ok(exporter)
}

/// What a protocol makes of an endpoint.
enum Endpoint {
    Needed,
    Possible,
    Unused,
}

impl Endpoint {
    fn check(&self, protocol: &str, key: &str, endpoint: &str) -> Result<(), ConfigError> {
        let fault = match self {
            Self::Needed if endpoint.is_empty() => "endpoint should be set",
            Self::Unused if !endpoint.is_empty() => "endpoint should not be set",
            Self::Needed | Self::Possible | Self::Unused => return Ok(()),
        };
        Err(ConfigError::Invalid(format!(
            "{key}: {fault} when protocol is {protocol:?}"
        )))
    }
}

fn named<P: Copy>(key: &str, name: &str, protocols: &[(&str, P)]) -> Result<P, ConfigError> {
    chosen((key, "protocol"), name, protocols)
}

/// One of the choices that `key` has; `what` says what they are.
fn chosen<P: Copy>(
    (key, what): (&str, &str),
    name: &str,
    choices: &[(&str, P)],
) -> Result<P, ConfigError> {
    let found = choices.iter().find(|(known, _)| *known == name);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        ConfigError::Invalid(format!(
            "{key}: unsupported {what} {name:?}: there are {names}"
        ))
    })
}
