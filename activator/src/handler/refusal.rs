//! What we answer ourselves. What other parts refuse too gets its status in [`net::refusal`]; the
//! rest gets it here.

use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use net::body::Body;
use net::refusal::Refusal as Shared;
use net::upstream::SendError;

use super::way::Astray;
use crate::revision::RevisionId;
use crate::services::Backend;
use crate::throttle::Refused;

/// Why a request got no answer from a pod.
#[derive(Debug)]
pub(super) enum Refusal {
    /// What a queue-proxy would refuse as well.
    Shared(Shared),
    /// It must come back over TLS, at this address.
    UseTls(HeaderValue),
    /// It can't get a pod; the text tells why.
    NoPod(String),
}

/// Seconds after which it makes sense to come again.
const RETRY_SECONDS: u16 = 1;

// === impl Refusal ===

impl Refusal {
    /// The revision doesn't exist.
    pub(super) fn no_revision(id: &RevisionId) -> Self {
        Self::Shared(Shared::UnknownRevision(format!(
            "revision \"{id}\" does not exist"
        )))
    }

    /// The core Service doesn't exist, or has no address.
    pub(super) fn no_service(backend: &Backend) -> Self {
        Self::NoPod(format!(
            "there is no core Service with an address and a port \"{backend}\""
        ))
    }

    pub(super) fn into_response(self) -> Response<Body> {
        match self {
            Self::Shared(shared) => shared.into_response(),
            Self::UseTls(location) => moved(location),
            Self::NoPod(why) => {
                let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, why);
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
                response
            }
        }
    }
}

impl From<Astray> for Refusal {
    fn from(astray: Astray) -> Self {
        Self::Shared(match astray {
            Astray::BadHost => Shared::BadHost,
            Astray::NoRoute => Shared::UnknownHost,
            Astray::UseTls(location) => return Self::UseTls(location),
            Astray::NoRevision(host) => {
                Shared::UnknownRevision(format!("host \"{host}\" names no revision"))
            }
        })
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full(_) => Self::Shared(Shared::Overloaded {
                retry_after_seconds: RETRY_SECONDS,
            }),
            refused @ (Refused::CantStart { .. } | Refused::Deleted(_)) => {
                Self::NoPod(refused.to_string())
            }
        }
    }
}

impl From<&SendError> for Refusal {
    fn from(error: &SendError) -> Self {
        Self::Shared(Shared::from(error))
    }
}

/// The answer to a probe of a host that can't be served over TLS yet: its Ingress is not ready.
pub(super) fn no_certificate(secret: &str) -> Response<Body> {
    let text = format!("there is no usable certificate in Secret \"{secret}\"");
    plain(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// A plain text answer.
pub(super) fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

fn moved(location: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(LOCATION, location);
    response
}
