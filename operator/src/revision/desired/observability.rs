//! What the sidecar hears of config-observability.

use std::collections::BTreeMap;

use crds::config::{
    Exporter, MetricsCompat, MetricsProtocol, ObservabilityConfig, TracingProtocol,
};

/// The keys of config-observability that concern a sidecar, as JSON with text values. Keys with
/// their default are left out, so that most pods are the same whatever a release's defaults are.
pub(super) fn json(config: &ObservabilityConfig) -> String {
    let default = ObservabilityConfig::default();
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut set = |key: &str, value: &str, default: &str| {
        if value != default {
            keys.insert(key.to_owned(), value.to_owned());
        }
    };
    set(
        "logging.enable-request-log",
        switch(config.logging_enable_request_log),
        "false",
    );
    set(
        "logging.enable-probe-request-log",
        switch(config.logging_enable_probe_request_log),
        "false",
    );
    set(
        "logging.request-log-template",
        &config.logging_request_log_template,
        &default.logging_request_log_template,
    );
    set(
        "tracing-sampling-rate",
        &config.tracing_sampling_rate.to_string(),
        "0",
    );
    set(
        "runtime-profiling",
        switch(config.runtime_profiling),
        "false",
    );
    export(
        &mut keys,
        "request-metrics",
        &config.request_metrics,
        metrics_protocol,
    );
    if config.metrics_compat == MetricsCompat::Legacy {
        keys.insert("metrics-compat".to_owned(), "legacy".to_owned());
    }
    export(&mut keys, "tracing", &config.tracing, tracing_protocol);
    // Text keys and text values: nothing in them can fail to be written.
    serde_json::to_string(&keys).unwrap_or_default()
}

fn export<P: Copy>(
    keys: &mut BTreeMap<String, String>,
    prefix: &str,
    exporter: &Exporter<P>,
    spelled: fn(P) -> Option<&'static str>,
) {
    let Some(protocol) = spelled(exporter.protocol) else {
        return;
    };
    keys.insert(format!("{prefix}-protocol"), protocol.to_owned());
    if !exporter.endpoint.is_empty() {
        keys.insert(format!("{prefix}-endpoint"), exporter.endpoint.clone());
    }
    if let Some(interval) = exporter.export_interval {
        keys.insert(
            format!("{prefix}-export-interval"),
            format!("{}ms", interval.as_millis()),
        );
    }
}

fn metrics_protocol(protocol: MetricsProtocol) -> Option<&'static str> {
    match protocol {
        MetricsProtocol::None => None,
        MetricsProtocol::Prometheus => Some("prometheus"),
        MetricsProtocol::Grpc => Some("grpc"),
        MetricsProtocol::HttpProtobuf => Some("http/protobuf"),
    }
}

fn tracing_protocol(protocol: TracingProtocol) -> Option<&'static str> {
    match protocol {
        TracingProtocol::None => None,
        TracingProtocol::Grpc => Some("grpc"),
        TracingProtocol::HttpProtobuf => Some("http/protobuf"),
        TracingProtocol::Stdout => Some("stdout"),
    }
}

fn switch(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::json;
    use crds::config::{MetricsCompat, MetricsProtocol, ObservabilityConfig};

    #[test]
    fn defaults_say_nothing() {
        assert_eq!(json(&ObservabilityConfig::default()), "{}");
    }

    #[test]
    fn what_differs_is_told_in_the_words_of_the_config_map() {
        let mut config = ObservabilityConfig {
            logging_enable_request_log: true,
            metrics_compat: MetricsCompat::Legacy,
            ..Default::default()
        };
        config.request_metrics.protocol = MetricsProtocol::Prometheus;
        assert_eq!(
            json(&config),
            r#"{"logging.enable-request-log":"true","metrics-compat":"legacy","request-metrics-protocol":"prometheus"}"#
        );
    }
}
