//! What a request costs while it waits.

use http::{Request, Version};
use http_body::Body as _;
use net::body::Body;
use net::serve::{STREAM_WINDOW, head_bytes};

/// The task of a request, its connection and their buffers, as measured: 8 KiB for the task, 24 KiB for
/// what hyper reads into.
const CONNECTION: usize = 32 * 1024;
/// What the kernel takes of a body that nobody reads: the first receive window. It only grows when
/// somebody reads, and it counts as memory of our container.
const RECEIVE_WINDOW: usize = 64 * 1024;

/// Bytes that a request costs us while it waits: the head, its connection, and what the client can
/// send of the body meanwhile.
pub(super) fn waiting(request: &Request<Body>) -> usize {
    let window = match request.version() {
        Version::HTTP_2 => STREAM_WINDOW as usize,
        _ => RECEIVE_WINDOW,
    };
    let body = request.body().size_hint().upper();
    let body = body.and_then(|bytes| usize::try_from(bytes).ok());
    CONNECTION + head_bytes(request) + body.unwrap_or(window).min(window)
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};
    use http_body_util::StreamBody;
    use net::body::Body;

    use super::{CONNECTION, RECEIVE_WINDOW, waiting};

    fn full(bytes: usize) -> Body {
        Body::Full(vec![0; bytes].into())
    }

    fn of_unknown_length() -> Body {
        let none = futures::stream::empty();
        Body::boxed(StreamBody::new(none))
    }

    #[test]
    fn body_costs_what_can_come_of_it_while_nobody_reads() {
        let (old, new) = (Version::HTTP_11, Version::HTTP_2);
        let cases = [
            (old, Body::Empty, 0),
            (old, full(1000), 1000),
            (old, full(1_000_000), RECEIVE_WINDOW),
            (old, of_unknown_length(), RECEIVE_WINDOW),
            (new, full(1000), 1000),
            (new, of_unknown_length(), 256 * 1024),
        ];
        for (version, body, expected) in cases {
            let mut request = Request::new(body);
            *request.version_mut() = version;
            *request.uri_mut() = http::Uri::from_static("/path");
            request
                .headers_mut()
                .insert("x-a", http::HeaderValue::from_static("b"));
            let head = "/path".len() + "x-a".len() + "b".len();
            assert_eq!(waiting(&request), CONNECTION + head + expected);
        }
    }
}
