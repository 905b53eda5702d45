//! Every answer that we make ourselves: the only place that chooses a status for one.

use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::{
    body::Body,
    contract::header,
    upstream::{NotSentError, SendError},
};

/// Why a request is not answered by the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A probe asked something that a queue-proxy doesn't answer.
    UnexpectedProbe(String),
    /// An ingress probe came without its hash.
    NoHash,
    /// No host, or one that can't be.
    BadHost,
    /// CONNECT: we are no tunnel to elsewhere.
    Connect,
    /// Path and query are longer than we take.
    UriTooLong,
    /// There are more header fields than we take.
    HeadTooLarge,
    /// Nobody serves this host and path.
    UnknownHost,
    /// There is no such revision.
    UnknownRevision(String),
    /// The request went upstream and no answer came.
    Upstream(String),
    /// The app was not there; the text tells why. Who can send the request elsewhere is told so.
    NotReached(String),
    /// Limit and line of the pod are full.
    QueueFull,
    /// Held requests take all the memory that they may.
    Overloaded {
        /// When to come again.
        retry_after_seconds: u16,
    },
    /// We are leaving.
    ShuttingDown,
    /// The app is not ready.
    NotReady,
    /// A deadline passed; the text tells whose.
    TimedOut(&'static str),
    /// There is nothing to find out readiness with.
    NoProbe,
}

// === impl Refusal ===

impl Refusal {
    /// The answer.
    pub fn into_response(self) -> Response<Body> {
        let status = self.status();
        let retry_after = self.retry_after();
        let not_reached = matches!(self, Self::NotReached(_));
        let mut response = Response::new(self.text());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(CONTENT_TYPE, plain);
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if not_reached {
            headers.insert(header::NOT_REACHED, HeaderValue::from_static("app"));
        }
        response
    }

    /// The same where the app can't have seen the request, for who can send it elsewhere.
    #[must_use]
    pub fn of_no_app(self) -> Self {
        match self {
            Self::Upstream(why) => Self::NotReached(why),
            other => other,
        }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnexpectedProbe(_) | Self::NoHash | Self::BadHost => StatusCode::BAD_REQUEST,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnknownHost | Self::UnknownRevision(_) => StatusCode::NOT_FOUND,
            Self::Upstream(_) | Self::NotReached(_) => StatusCode::BAD_GATEWAY,
            Self::QueueFull | Self::Overloaded { .. } | Self::ShuttingDown | Self::NotReady => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::NoProbe => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn text(self) -> Body {
        match self {
            Self::UnexpectedProbe(value) => {
                Body::from(format!("unexpected probe header value: {value}"))
            }
            Self::NoHash => {
                Body::from("a probe request must contain a non-empty \"K-Network-Hash\" header")
            }
            Self::BadHost => Body::from("request has no valid host"),
            Self::Connect => Body::from("method not allowed"),
            Self::UriTooLong => Body::from("path and query are too long"),
            Self::HeadTooLarge => Body::from("too many header fields"),
            Self::UnknownHost => Body::from("not found"),
            Self::UnknownRevision(why) => {
                Body::from(format!("Error getting active endpoint: {why}"))
            }
            Self::Upstream(why) | Self::NotReached(why) => Body::from(why),
            Self::QueueFull => Body::from("pending request queue full"),
            Self::Overloaded { .. } => Body::from("too many requests are waiting"),
            Self::ShuttingDown => Body::from("shutting down"),
            Self::NotReady => Body::Empty,
            Self::TimedOut(text) => Body::from(text),
            Self::NoProbe => Body::from("no probe"),
        }
    }

    fn retry_after(&self) -> Option<u16> {
        match self {
            Self::Overloaded {
                retry_after_seconds,
            } => Some(*retry_after_seconds),
            Self::QueueFull => Some(1),
            Self::UnexpectedProbe(_)
            | Self::NoHash
            | Self::BadHost
            | Self::Connect
            | Self::UriTooLong
            | Self::HeadTooLarge
            | Self::UnknownHost
            | Self::UnknownRevision(_)
            | Self::Upstream(_)
            | Self::NotReached(_)
            | Self::ShuttingDown
            | Self::NotReady
            | Self::TimedOut(_)
            | Self::NoProbe => None,
        }
    }
}

impl From<&SendError> for Refusal {
    fn from(error: &SendError) -> Self {
        match error {
            SendError::NotSent {
                source: NotSentError::Host,
                ..
            } => Self::BadHost,
            error @ (SendError::NotSent { .. } | SendError::Interrupted { .. }) => {
                Self::Upstream(chain(error))
            }
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::Refusal;

    #[tokio::test]
    async fn status_and_text_are_those_of_the_contract() {
        let table = [
            (
                Refusal::UnexpectedProbe("x".to_owned()),
                400,
                "unexpected probe header value: x",
            ),
            (Refusal::QueueFull, 503, "pending request queue full"),
            (Refusal::ShuttingDown, 503, "shutting down"),
            (Refusal::NotReady, 503, ""),
            (Refusal::TimedOut("request timeout"), 504, "request timeout"),
            (Refusal::NoProbe, 500, "no probe"),
            (Refusal::UnknownHost, 404, "not found"),
        ];
        for (refusal, status, text) in table {
            let response = refusal.into_response();
            assert_eq!(response.status(), status);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, text);
        }
    }

    #[test]
    fn overload_says_when_to_come_again() {
        let refusal = Refusal::Overloaded {
            retry_after_seconds: 2,
        };
        assert_eq!(refusal.into_response().headers()["retry-after"], "2");
    }
}
