//! Logs as JSON lines with the keys that existing log pipelines for Knative know: severity,
//! timestamp, logger, caller, message (contract/control-plane 5, config-logging).

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging to standard output as `component`. The environment variable `LOG` chooses
/// levels (`info`, `debug`, `activator=debug,info`); info when it is absent or unreadable.
pub fn init(component: &'static str) {
    let filter = EnvFilter::try_from_env("LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call (tests) leaves the first subscriber in place.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .event_format(Line { component })
        .with_writer(std::io::stdout)
        .try_init();
}

struct Line {
    component: &'static str,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut line = Map::new();
        line.insert("severity".to_owned(), severity(*about.level()).into());
        line.insert("timestamp".to_owned(), Timestamp::now().to_string().into());
        line.insert("logger".to_owned(), self.component.into());
        line.insert("caller".to_owned(), caller(about).into());
        let message = fields.0.remove("message").unwrap_or_default();
        line.insert("message".to_owned(), message);
        line.append(&mut fields.0);
        writeln!(out, "{}", Value::Object(line))
    }
}

fn caller(about: &tracing::Metadata<'_>) -> String {
    format!(
        "{}:{}",
        about.file().unwrap_or("?"),
        about.line().unwrap_or(0)
    )
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0
            .insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
