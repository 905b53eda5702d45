//! Just enough gRPC: an echo of any number of messages, and the health service.

use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Request, Response};

use crate::answer::{Body, full};

const TYPE: &str = "application/grpc";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
/// A message of two bytes: field 1, the status, is 1 (SERVING) or 2 (NOT_SERVING).
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];

pub(crate) fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(TYPE.as_bytes()))
}

pub(crate) fn is_health(request: &Request<Incoming>) -> bool {
    request.uri().path() == HEALTH
}

/// The answer of the health service.
pub(crate) fn health(well: bool) -> Response<Body> {
    let message = if well { SERVING } else { NOT_SERVING };
    wrapped(full(Bytes::from_static(message)))
}

/// Each message as it comes.
pub(crate) fn echo(request: Request<Incoming>) -> Response<Body> {
    wrapped(streamed(request.into_body()))
}

/// The data of `body` as it comes.
pub(crate) fn streamed(body: Incoming) -> Body {
    let frames = stream::unfold(body, async |mut body| {
        loop {
            let frame = body.frame().await?.ok()?;
            if frame.is_data() {
                return Some((Ok(frame), body));
            }
        }
    });
    StreamBody::new(Box::pin(frames)).boxed_unsync()
}

/// `messages`, and then what says that the call went well.
fn wrapped(messages: Body) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let trailers = stream::once(async { Ok(Frame::trailers(trailers)) });
    let frames = stream::unfold(messages, async |mut messages| {
        let frame = messages.frame().await?;
        Some((frame, messages))
    });
    let body = StreamBody::new(Box::pin(futures::StreamExt::chain(frames, trailers)));
    let mut response = Response::new(body.boxed_unsync());
    let kind = HeaderValue::from_static(TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
