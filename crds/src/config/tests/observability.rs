use std::time::Duration;

use super::super::{MetricsCompat, MetricsProtocol, TracingProtocol, name, notes};
use super::{Case, check_faults, data, fault, settings};

const EXPORTERS: &[Case<'_>] = &[
    (&[("metrics-protocol", "prometheus")], ""),
    (
        &[
            ("metrics-protocol", "prometheus"),
            ("metrics-endpoint", ":9091"),
        ],
        "",
    ),
    (
        &[
            ("metrics-protocol", "grpc"),
            ("metrics-endpoint", "otel:4317"),
        ],
        "",
    ),
    (
        &[("metrics-protocol", "grpc")],
        "metrics-endpoint: endpoint should be set when protocol is \"grpc\"",
    ),
    (
        &[("request-metrics-protocol", "http/protobuf")],
        "request-metrics-endpoint: endpoint should be set when protocol is \"http/protobuf\"",
    ),
    (
        &[("metrics-endpoint", "otel:4317")],
        "metrics-endpoint: endpoint should not be set when protocol is \"none\"",
    ),
    (
        &[("tracing-protocol", "stdout"), ("tracing-endpoint", "x")],
        "tracing-endpoint: endpoint should not be set when protocol is \"stdout\"",
    ),
    (
        &[("tracing-protocol", "grpc")],
        "tracing-endpoint: endpoint should be set when protocol is \"grpc\"",
    ),
    (
        &[("metrics-protocol", "Prometheus")],
        "metrics-protocol: unsupported protocol \"Prometheus\": there are none, prometheus, grpc, http/protobuf",
    ),
    (
        &[("request-metrics-protocol", "")],
        "request-metrics-protocol: unsupported protocol \"\": there are none, prometheus, grpc, http/protobuf",
    ),
    (
        &[("tracing-protocol", "prometheus")],
        "tracing-protocol: unsupported protocol \"prometheus\": there are none, grpc, http/protobuf, stdout",
    ),
    (
        &[("tracing-sampling-rate", "2")],
        "tracing-sampling-rate: sampling rate 2 should be in [0, 1]",
    ),
    (
        &[("metrics-export-interval", "-1s")],
        "metrics-export-interval cannot be negative, was: -1s",
    ),
    (&[("metrics-compat", "legacy")], ""),
    (&[("metrics-compat", "current")], ""),
    (
        &[("metrics-compat", "opencensus")],
        "metrics-compat: unsupported names \"opencensus\": there are current, legacy",
    ),
    (
        &[("runtime-profiling", "on")],
        "runtime-profiling: unsupported profile setting \"on\"",
    ),
];

#[test]
fn exporters_have_an_endpoint_where_they_need_one() {
    check_faults(name::OBSERVABILITY, EXPORTERS);
}

#[test]
fn exporters_are_read() {
    let read = settings(
        name::OBSERVABILITY,
        &[
            ("request-metrics-protocol", " http/protobuf "),
            ("request-metrics-endpoint", "http://otel"),
            ("request-metrics-export-interval", "5s"),
            ("metrics-export-interval", "0s"),
            ("metrics-compat", "legacy"),
            ("tracing-protocol", "stdout"),
            ("tracing-sampling-rate", "0.5"),
            ("runtime-profiling", "enabled"),
        ],
    )
    .observability;
    assert_eq!(read.request_metrics.protocol, MetricsProtocol::HttpProtobuf);
    let interval = Some(Duration::from_secs(5));
    assert_eq!(read.request_metrics.export_interval, interval);
    assert_eq!(read.metrics.export_interval, None);
    assert_eq!(read.metrics_compat, MetricsCompat::Legacy);
    assert_eq!(read.tracing.protocol, TracingProtocol::Stdout);
    assert_eq!(read.tracing_sampling_rate, 0.5);
    assert!(read.runtime_profiling);
}

#[test]
fn lines_of_the_request_log_are_templates() {
    let key = "logging.request-log-template";
    for template in [
        "{{.Request.Method}} {{js .Request.URL}}",
        "TLS: {{.Request.TLS}}",
        "",
    ] {
        assert_eq!(fault(name::OBSERVABILITY, &[(key, template)]), "");
        assert!(notes(name::OBSERVABILITY, &data(&[(key, template)])).is_empty());
    }
    check_faults(
        name::OBSERVABILITY,
        &[
            (
                &[(key, "{{.Request")],
                "failed to parse \"logging.request-log-template\": unclosed action",
            ),
            (
                &[(key, "{{upper .TraceID}}")],
                "failed to parse \"logging.request-log-template\": function \"upper\" not defined",
            ),
            (
                &[(key, " "), ("logging.enable-request-log", "true")],
                "\"logging.enable-request-log\" was set to true, but no \"logging.request-log-template\" was specified",
            ),
        ],
    );
    let loop_ = [(key, "{{range $k, $v := .Request.Header}}{{$k}}{{end}}")];
    assert_eq!(fault(name::OBSERVABILITY, &loop_), "");
    let noted = notes(name::OBSERVABILITY, &data(&loop_));
    assert!(
        noted[0].starts_with("logging.request-log-template has no effect: "),
        "{noted:?}"
    );
}
