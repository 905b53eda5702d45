//! The question in the body of a request, within bounds: anybody in the cluster can ask.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request as HttpRequest};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::debug;

use super::handlers::Server;
use super::review::Question;

/// The API server takes objects of up to 3 MiB, and etcd keeps up to 1.5 MiB: both come on an update.
const LONGEST: usize = 6 << 20;
/// A value of a few bytes takes some hundred in memory. An update of a container with ten thousand
/// variables, and what Kubernetes notes of its managers, has fewer.
const MOST_VALUES: usize = 150_000;
/// Longer than any API server waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bodies in memory at a time, in KiB: a handful of the longest, thousands of the usual ones.
const BODIES: usize = 32 << 10;

/// Room for what is asked at a time, as text and as values; the largest question fits. Who finds none
/// waits for it.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    bodies: Arc<Semaphore>,
    values: Arc<Semaphore>,
}

/// A question, and the room that it takes until it is answered.
pub(crate) struct Asked {
    pub(crate) question: Question,
    _room: [OwnedSemaphorePermit; 2],
}

/// Why there is no question in a body. The API server tells its user little more than the status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("invalid Content-Type, want `application/json`")]
    Type,
    #[error("could not decode body: it is longer than {LONGEST} bytes")]
    Long,
    #[error("could not decode body: it holds more than {MOST_VALUES} values")]
    Many,
    #[error("could not decode body: it took too long to come")]
    Slow,
    #[error("could not decode body: {0}")]
    Broken(String),
}

// === impl Room ===

impl Default for Room {
    fn default() -> Self {
        Self {
            bodies: Arc::new(Semaphore::new(BODIES)),
            values: Arc::new(Semaphore::new(MOST_VALUES)),
        }
    }
}

async fn take(room: &Arc<Semaphore>, size: usize) -> Result<OwnedSemaphorePermit, Unreadable> {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let taken = Arc::clone(room).acquire_many_owned(size).await;
    taken.map_err(|closed| Unreadable::Broken(closed.to_string()))
}

// === impl Asked ===

impl FromRequest<Arc<Server>> for Asked {
    type Rejection = Unreadable;

    async fn from_request(
        request: HttpRequest,
        server: &Arc<Server>,
    ) -> Result<Self, Self::Rejection> {
        let size = announced(request.headers())?;
        let read = async {
            let bytes = take(&server.room.bodies, size.div_ceil(1 << 10)).await?;
            let body = to_bytes(request.into_body(), size).await;
            let body = body.map_err(|error| broken(&error, size))?;
            // In this order always, so nobody waits for one who waits.
            let count = values(&body);
            if count > MOST_VALUES {
                return Err(Unreadable::Many);
            }
            let values = take(&server.room.values, count).await?;
            Ok((body, [bytes, values]))
        };
        let (body, room) = timeout(PATIENCE, read)
            .await
            .map_err(|_| Unreadable::Slow)??;
        let question = serde_json::from_slice(&body);
        Ok(Self {
            question: question.map_err(|error| Unreadable::Broken(error.to_string()))?,
            _room: room,
        })
    }
}

/// The most bytes that the body may have.
fn announced(headers: &HeaderMap) -> Result<usize, Unreadable> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Unreadable::Type);
    }
    match text(CONTENT_LENGTH).map(str::parse::<usize>) {
        Some(Ok(length)) if length > LONGEST => Err(Unreadable::Long),
        Some(Ok(length)) => Ok(length),
        Some(Err(_)) | None => Ok(LONGEST),
    }
}

fn broken(error: &axum::Error, size: usize) -> Unreadable {
    let cut = std::error::Error::source(error).map_or(error.to_string(), ToString::to_string);
    if size == LONGEST && cut.contains("length limit") {
        Unreadable::Long
    } else {
        Unreadable::Broken(cut)
    }
}

/// How many values the JSON text holds, or a few more: all but the first follow a comma, a colon or a
/// bracket outside of strings.
fn values(json: &[u8]) -> usize {
    let (mut count, mut inside, mut escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b',' | b'[' | b'{' if !inside => count += 1,
            _ => {}
        }
    }
    count
}

// === impl Unreadable ===

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        debug!(error = %self, "A request could not be read");
        let status = match &self {
            Self::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Long | Self::Many => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        };
        (status, self.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (json, count) in [
            ("1", 1),
            (r#"{"a":[1,2,3]}"#, 5),
            (r#"{"a":"[,\",{","b":2}"#, 3),
            (r#"["\\",1]"#, 3),
        ] {
            assert_eq!(values(json.as_bytes()), count, "{json}");
        }
    }
}
