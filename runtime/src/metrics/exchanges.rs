use std::collections::BTreeMap;
use std::time::Duration;

use super::BYTES;
use super::families::{Families, Label};
use super::histogram::{Histogram, Reading};
use super::names::Answer;
use super::rows::Rows;
use super::times::Times;

const METHOD: &str = "http_request_method";
/// As OpenTelemetry calls the status of an answer.
pub const STATUS: &str = "http_response_status_code";

/// Requests and their answers, by method, status and what else `Tag` tells apart.
#[derive(Debug)]
pub struct Exchanges<Tag> {
    rows: Rows<(Answer, Tag), Row>,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked and answered.
    pub answer: Answer,
    /// From its arrival to the end of its answer.
    pub took: Duration,
    /// Bytes of its body, if its head told them.
    pub request_bytes: Option<u64>,
    /// Bytes of its answer's body, if the head told them.
    pub response_bytes: Option<u64>,
}

/// Names of Knative 1.18 and before.
#[derive(Clone, Copy, Debug)]
pub struct OldCounts {
    /// How many requests were answered.
    pub count: &'static str,
    /// How long they took, in milliseconds.
    pub latencies: &'static str,
}

#[derive(Debug)]
struct Row {
    times: Times,
    request: Histogram,
    response: Histogram,
}

// === impl Exchanges ===

impl<Tag: Copy + Ord> Exchanges<Tag> {
    /// Counts an exchange.
    pub fn note(&self, exchange: &Exchange, tag: Tag, old_shown: bool) {
        let row = self.rows.row((exchange.answer, tag), Row::default);
        row.times.observe(exchange.took, old_shown);
        for (histogram, bytes) in [
            (&row.request, exchange.request_bytes),
            (&row.response, exchange.response_bytes),
        ] {
            if let Some(bytes) = bytes {
                histogram.observe(bytes as f64);
            }
        }
    }

    /// Shows them under the names that OpenTelemetry has for servers. `tell` makes a label of a tag.
    pub fn show(
        &self,
        families: &mut Families,
        owner: &[Label<'_>],
        tell: impl Fn(Tag) -> Option<Label<'static>>,
    ) {
        for ((answer, tag), row) in self.rows.all() {
            let code = answer.code();
            let mut labels = owner.to_vec();
            labels.extend([(METHOD, answer.method), (STATUS, code.as_str())]);
            labels.extend(tell(tag));
            families.histogram(
                "http_server_request_duration_seconds",
                "Time from a request's arrival to the end of its answer",
                &labels,
                &row.times.seconds(),
            );
            for (name, sizes) in [
                ("http_server_request_body_size_bytes", &row.request),
                ("http_server_response_body_size_bytes", &row.response),
            ] {
                let help = "Size of bodies whose length their head tells";
                families.histogram(name, help, &labels, &sizes.read());
            }
        }
    }

    /// Shows them under old names, which tell no methods apart.
    pub fn show_old(
        &self,
        families: &mut Families,
        names: OldCounts,
        owner: &[Label<'_>],
        tell: impl Fn(Tag) -> Option<Label<'static>>,
    ) {
        let rows = self.rows.all().into_iter();
        let times = rows.filter_map(|((answer, tag), row)| {
            Some(((answer.status, tag), row.times.milliseconds()?))
        });
        for ((status, tag), times) in together(times) {
            show_old(families, names, owner, status, tell(tag), &times);
        }
    }
}

impl<Tag> Default for Exchanges<Tag> {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
        }
    }
}

impl Default for Row {
    fn default() -> Self {
        Self {
            times: Times::default(),
            request: Histogram::new(BYTES),
            response: Histogram::new(BYTES),
        }
    }
}

/// The requests that we made ourselves.
#[derive(Debug, Default)]
pub struct Calls {
    rows: Rows<Answer, Times>,
}

// === impl Calls ===

impl Calls {
    /// Counts a request that was answered.
    pub fn note(&self, answer: Answer, took: Duration, old_shown: bool) {
        self.rows
            .row(answer, Times::default)
            .observe(took, old_shown);
    }

    /// Shows them under the name that OpenTelemetry has for clients.
    pub fn show(&self, families: &mut Families, owner: &[Label<'_>]) {
        for (answer, times) in self.rows.all() {
            let code = answer.code();
            let mut labels = owner.to_vec();
            labels.extend([(METHOD, answer.method), (STATUS, code.as_str())]);
            families.histogram(
                "http_client_request_duration_seconds",
                "Time from sending a request to the end of its answer",
                &labels,
                &times.seconds(),
            );
        }
    }

    /// Shows their times as `name`, only by status, which is the label `code`.
    pub fn show_by_status(
        &self,
        families: &mut Families,
        (name, help): (&str, &str),
        owner: &[Label<'_>],
        code: &'static str,
    ) {
        let rows = self.rows.all().into_iter();
        let times = rows.map(|(answer, times)| (answer.status, times.seconds()));
        for (status, times) in together(times) {
            let told = of_status(status).code();
            let mut labels = owner.to_vec();
            labels.push((code, told.as_str()));
            families.histogram(name, help, &labels, &times);
        }
    }

    /// Shows them under old names.
    pub fn show_old(&self, families: &mut Families, names: OldCounts, owner: &[Label<'_>]) {
        let rows = self.rows.all().into_iter();
        let times = rows.filter_map(|(answer, times)| Some((answer.status, times.milliseconds()?)));
        for (status, times) in together(times) {
            show_old(families, names, owner, status, None, &times);
        }
    }
}

fn show_old(
    families: &mut Families,
    names: OldCounts,
    owner: &[Label<'_>],
    status: u16,
    tag: Option<Label<'static>>,
    times: &Reading,
) {
    let answer = of_status(status);
    let code = answer.code();
    let mut labels = owner.to_vec();
    labels.extend([
        ("response_code", code.as_str()),
        ("response_code_class", answer.class()),
    ]);
    labels.extend(tag);
    let help = "Requests that were answered";
    families.counter(names.count, help, &labels, times.count());
    let help = "Time of requests in milliseconds";
    families.histogram(names.latencies, help, &labels, times);
}

/// Adds up what has the same key.
fn together<K: Ord>(readings: impl Iterator<Item = (K, Reading)>) -> BTreeMap<K, Reading> {
    let mut all: BTreeMap<K, Reading> = BTreeMap::new();
    for (key, reading) in readings {
        match all.get_mut(&key) {
            Some(sum) => sum.add(&reading),
            None => {
                all.insert(key, reading);
            }
        }
    }
    all
}

fn of_status(status: u16) -> Answer {
    Answer { method: "", status }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{Method, StatusCode};

    use super::{Calls, Exchange, Exchanges, OldCounts, STATUS};
    use crate::metrics::{Answer, Families};

    const OLD: OldCounts = OldCounts {
        count: "revision_request_count",
        latencies: "revision_request_latencies",
    };

    fn answered(method: &Method, status: StatusCode) -> Exchange {
        Exchange {
            answer: Answer::new(method, status),
            took: Duration::from_millis(7),
            request_bytes: Some(3),
            response_bytes: None,
        }
    }

    #[test]
    fn old_names_tell_no_methods_apart() {
        let exchanges = Exchanges::default();
        for method in [Method::GET, Method::POST] {
            exchanges.note(&answered(&method, StatusCode::OK), true, true);
        }
        exchanges.note(&answered(&Method::GET, StatusCode::NOT_FOUND), false, true);
        let tell = |tag: bool| tag.then_some(("route_tag", "DEFAULT"));
        let mut families = Families::default();
        exchanges.show_old(&mut families, OLD, &[("revision_name", "r")], tell);
        let text = families.text();
        for line in [
            "revision_request_count{response_code=\"200\",response_code_class=\"2xx\",revision_name=\"r\",route_tag=\"DEFAULT\"} 2",
            "revision_request_count{response_code=\"404\",response_code_class=\"4xx\",revision_name=\"r\"} 1",
            "revision_request_latencies_bucket{response_code=\"404\",response_code_class=\"4xx\",revision_name=\"r\",le=\"10\"} 1",
            "revision_request_latencies_bucket{response_code=\"404\",response_code_class=\"4xx\",revision_name=\"r\",le=\"5\"} 0",
            "# TYPE revision_request_count counter",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn exchanges_have_their_times_and_the_sizes_that_were_told() {
        let exchanges = Exchanges::default();
        let exchange = answered(&Method::GET, StatusCode::OK);
        exchanges.note(&exchange, (), false);
        let mut families = Families::default();
        exchanges.show(&mut families, &[], |()| None);
        let text = families.text();
        let of = "{http_request_method=\"GET\",http_response_status_code=\"200\"}";
        for line in [
            format!("http_server_request_duration_seconds_count{of} 1"),
            format!("http_server_request_body_size_bytes_sum{of} 3"),
            format!("http_server_response_body_size_bytes_count{of} 0"),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn calls_are_shown_by_method_or_only_by_status() {
        let calls = Calls::default();
        for method in [Method::GET, Method::PUT] {
            let answer = Answer::new(&method, StatusCode::OK);
            calls.note(answer, Duration::from_millis(7), false);
        }
        let mut families = Families::default();
        calls.show(&mut families, &[]);
        calls.show_by_status(&mut families, ("app_seconds", "Time"), &[], STATUS);
        let text = families.text();
        for line in [
            "http_client_request_duration_seconds_count{http_request_method=\"PUT\",http_response_status_code=\"200\"} 1",
            "app_seconds_count{http_response_status_code=\"200\"} 2",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
