use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{Method, StatusCode};

/// OpenTelemetry's word for what it doesn't know.
const OTHER: &str = "_OTHER";

/// Whether metrics are shown under their names of Knative 1.18 and before, too. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct OldNames(Arc<AtomicBool>);

/// What tells answers apart: made once for each of a few, so that a client can't invent labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// As `http_request_method` has it.
    pub method: &'static str,
    /// The status, 0 for one that HTTP doesn't know.
    pub status: u16,
}

// === impl OldNames ===

impl OldNames {
    /// Shown from the start, or not.
    pub fn new(shown: bool) -> Self {
        Self(Arc::new(AtomicBool::new(shown)))
    }

    /// Shows them from now on, or not any more.
    pub fn set(&self, shown: bool) {
        self.0.store(shown, Ordering::Relaxed);
    }

    /// Whether they are shown.
    pub fn shown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Answer ===

impl Answer {
    /// What a request was answered with.
    pub fn new(asked: &Method, answered: StatusCode) -> Self {
        Self {
            method: method(asked),
            status: status(answered),
        }
    }

    /// As `http_response_status_code` and `response_code` have it.
    pub fn code(self) -> String {
        match self.status {
            0 => OTHER.to_owned(),
            known => known.to_string(),
        }
    }

    /// As `response_code_class` has it.
    pub fn class(self) -> &'static str {
        match self.status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            500..=599 => "5xx",
            _ => OTHER,
        }
    }
}

/// Methods become labels, and clients can invent methods.
pub fn method(asked: &Method) -> &'static str {
    match *asked {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => OTHER,
    }
}

/// Statuses become labels, and apps can invent statuses: 0 stands for one that HTTP doesn't know.
pub fn status(answered: StatusCode) -> u16 {
    match answered.canonical_reason() {
        Some(_) => answered.as_u16(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, StatusCode};

    use super::Answer;

    #[test]
    fn what_http_does_not_know_is_other() {
        let brewed = Method::from_bytes(b"BREW").unwrap();
        let invented = Answer::new(&brewed, StatusCode::from_u16(299).unwrap());
        assert_eq!(invented.method, "_OTHER");
        assert_eq!(
            (invented.code().as_str(), invented.class()),
            ("_OTHER", "_OTHER")
        );
        let known = Answer::new(&Method::GET, StatusCode::NOT_FOUND);
        assert_eq!((known.method, known.class()), ("GET", "4xx"));
        assert_eq!(known.code(), "404");
    }
}
