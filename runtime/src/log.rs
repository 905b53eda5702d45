//! Logs as JSON lines with the keys that existing log pipelines for Knative know: severity,
//! timestamp, logger, caller, message (contract/control-plane 5, config-logging).

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Variables that choose levels, the first one that can be read. The second one is what Knative's
/// controller gives to a sidecar.
const LEVELS: [&str; 2] = ["LOG", "SERVING_LOGGING_LEVEL"];

/// Starts logging to standard output as `component`. The environment variable `LOG` chooses
/// levels (`info`, `debug`, `activator=debug,info`); info when it is absent or unreadable.
pub fn init(component: &'static str) {
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Line { component })
        .with_writer(std::io::stdout);
    let levels = levels(|name| std::env::var(name).ok());
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(levels));
    // A second call (tests) leaves the first subscriber in place.
    let _ = subscriber.try_init();
}

fn levels(read: impl Fn(&str) -> Option<String>) -> Targets {
    let mut told = LEVELS.iter().filter_map(|name| read(name));
    told.find_map(|text| text.trim().parse().ok().filter(|_| !text.trim().is_empty()))
        .unwrap_or_else(|| Targets::new().with_default(Level::INFO))
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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::levels;

    #[test]
    fn levels_are_those_of_the_first_variable_that_can_be_read() {
        let cases = [
            (None, None, Level::INFO),
            (Some("debug"), Some("warn"), Level::DEBUG),
            (Some("activator=trace,warn"), None, Level::WARN),
            (None, Some("error"), Level::ERROR),
            (Some(""), Some("debug"), Level::DEBUG),
            (Some("loud=very=much"), None, Level::INFO),
        ];
        for (own, knative, expected) in cases {
            let read = |name: &str| match name {
                "LOG" => own.map(str::to_owned),
                _ => knative.map(str::to_owned),
            };
            let levels = levels(read);
            assert!(
                levels.would_enable("other", &expected),
                "{own:?}, {knative:?}"
            );
            let finer = [
                Level::ERROR,
                Level::WARN,
                Level::INFO,
                Level::DEBUG,
                Level::TRACE,
            ];
            let finer = finer.into_iter().find(|level| *level > expected);
            let finer = finer.is_some_and(|level| levels.would_enable("other", &level));
            assert!(!finer, "{own:?}, {knative:?}");
        }
    }
}
