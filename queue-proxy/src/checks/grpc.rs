//! The Check call of `grpc.health.v1.Health`, by hand: one message each way.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use net::{
    body::Body,
    upstream::{Protocol, Upstream},
};
use prost::Message as _;

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `ServingStatus::SERVING`.
const SERVING: i32 = 1;
/// No answer to this question is longer.
const LONGEST: usize = 1024;
/// Every gRPC message has a flag and a length before it.
const PREFIX: usize = 5;

/// Whether `service` says that it serves; the empty name stands for the whole server.
pub(super) async fn serves(upstream: &Upstream, service: &str) -> bool {
    let request = question(&upstream.addr().to_string(), service);
    let Ok(response) = upstream.send(Protocol::Http2, request).await else {
        return false;
    };
    if response.status() != StatusCode::OK {
        return false;
    }
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    body.is_ok_and(|body| says_serving(&body.to_bytes()))
}

fn question(host: &str, service: &str) -> Request<Body> {
    let message = HealthCheckRequest {
        service: service.to_owned(),
    };
    let mut bytes = BytesMut::with_capacity(PREFIX + message.encoded_len());
    bytes.put_u8(0);
    bytes.put_slice(&(message.encoded_len() as u32).to_be_bytes());
    bytes.put_slice(&message.encode_to_vec());
    let mut request = Request::new(Body::Full(bytes.freeze()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/grpc.health.v1.Health/Check");
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::try_from(host) {
        headers.insert(header::HOST, host);
    }
    let grpc = HeaderValue::from_static("application/grpc");
    headers.insert(header::CONTENT_TYPE, grpc);
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    request
}

fn says_serving(answer: &Bytes) -> bool {
    let message = answer.get(PREFIX..).unwrap_or_default();
    HealthCheckResponse::decode(message).is_ok_and(|answer| answer.status == SERVING)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::says_serving;

    #[test]
    fn only_serving_serves() {
        let table: [(&'static [u8], bool); 5] = [
            (&[0, 0, 0, 0, 2, 8, 1], true),
            (&[0, 0, 0, 0, 2, 8, 2], false),
            (&[0, 0, 0, 0, 0], false),
            (&[], false),
            (&[0, 0, 0, 0, 1, 255], false),
        ];
        for (answer, expect) in table {
            assert_eq!(
                says_serving(&Bytes::from_static(answer)),
                expect,
                "{answer:?}"
            );
        }
    }
}
