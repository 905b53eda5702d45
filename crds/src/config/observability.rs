use std::time::Duration;

use super::reader::{Reader, choice, duration};
use super::{ConfigError, Data};

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
        let mut config = Self::default();
        config.read_logging(&Reader(data))?;
        config.read_exporters(&Reader(data))?;
        config.read_runtime(&Reader(data))?;
        Ok(config)
    }

    fn read_logging(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.boolean(
            &["logging.enable-var-log-collection"],
            &mut self.logging_enable_var_log_collection,
        )?;
        data.text(
            &["logging.revision-url-template"],
            &mut self.logging_revision_url_template,
        );
        data.text(
            &["logging.request-log-template"],
            &mut self.logging_request_log_template,
        );
        data.boolean(
            &["logging.enable-request-log"],
            &mut self.logging_enable_request_log,
        )?;
        data.boolean(
            &["logging.enable-probe-request-log"],
            &mut self.logging_enable_probe_request_log,
        )
    }

    fn read_exporters(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        let keys = [
            "metrics-protocol",
            "metrics-endpoint",
            "metrics-export-interval",
        ];
        exporter(data, keys, &METRICS, &mut self.metrics)?;
        let keys = [
            "request-metrics-protocol",
            "request-metrics-endpoint",
            "request-metrics-export-interval",
        ];
        exporter(data, keys, &METRICS, &mut self.request_metrics)?;
        let keys = [
            "tracing-protocol",
            "tracing-endpoint",
            "tracing-export-interval",
        ];
        exporter(data, keys, &TRACING, &mut self.tracing)?;
        let needs = |protocol: &str, endpoint: &str| (protocol.to_owned(), endpoint.is_empty());
        for (protocol, unset) in [
            needs("metrics", &self.metrics.endpoint),
            needs("request-metrics", &self.request_metrics.endpoint),
            needs("tracing", &self.tracing.endpoint),
        ] {
            let sent = data
                .get(&[&format!("{protocol}-protocol")])
                .map(|(_, text)| text.to_owned());
            if unset && matches!(sent.as_deref(), Some("grpc" | "http/protobuf")) {
                return Err(ConfigError::Invalid(format!(
                    "{protocol}-endpoint cannot be empty"
                )));
            }
        }
        Ok(())
    }

    fn read_runtime(&mut self, data: &Reader<'_>) -> Result<(), ConfigError> {
        data.float(&["tracing-sampling-rate"], &mut self.tracing_sampling_rate)?;
        if !(0.0..=1.0).contains(&self.tracing_sampling_rate) {
            let rate = self.tracing_sampling_rate;
            return Err(ConfigError::Invalid(format!(
                "tracing-sampling-rate = {rate} must be in [0, 1]"
            )));
        }
        data.with(
            &["runtime-profiling"],
            &mut self.runtime_profiling,
            |text| choice(text, &[("enabled", true), ("disabled", false)]),
        )?;
        data.duration(
            &["runtime-export-interval"],
            &mut self.runtime_export_interval,
        )
    }
}

fn exporter<'a, P: Copy>(
    data: &Reader<'a>,
    [protocol, endpoint, interval]: [&'a str; 3],
    choices: &[(&str, P)],
    exporter: &mut Exporter<P>,
) -> Result<(), ConfigError> {
    data.with(&[protocol], &mut exporter.protocol, |text| match text {
        "" => choice("none", choices),
        text => choice(text, choices),
    })?;
    data.text(&[endpoint], &mut exporter.endpoint);
    data.with(
        &[interval],
        &mut exporter.export_interval,
        |text| match text {
            "" => Ok(None),
            text => duration(text).map(Some),
        },
    )
}
