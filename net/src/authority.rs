//! The host of a request, which HTTP/1.1 and HTTP/2 keep in different places.

use http::{
    HeaderMap, HeaderValue, Request, Uri, Version,
    header::HOST,
    uri::{Authority, PathAndQuery, Scheme},
};
use thiserror::Error;

use crate::upstream::Protocol;

/// A host that can't be one.
#[derive(Debug, Error)]
#[error("request has no valid host")]
pub struct NoHost;

/// The host that the client asked for, port included: `:authority`, or `Host`. A request with two
/// `Host`s has none: whoever comes after us might take the other one (RFC 9112 3.2).
pub fn host<B>(request: &Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => only_host(request.headers())?.to_str().ok(),
    }
}

fn only_host(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut hosts = headers.get_all(HOST).iter();
    hosts.next().filter(|_| hosts.next().is_none())
}

/// Makes `host` the host of the request, for either protocol.
pub fn set_host<B>(request: &mut Request<B>, host: HeaderValue) -> Result<(), NoHost> {
    if request.uri().authority().is_some() {
        let authority = Authority::try_from(host.as_bytes()).map_err(|_| NoHost)?;
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.authority = Some(authority);
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| NoHost)?;
    }
    request.headers_mut().insert(HOST, host);
    Ok(())
}

/// Puts version, URI and host into the form that `protocol` wants on the wire.
///
/// # Errors
/// When there is no host, or none that can be said there.
pub fn adapt<B>(request: &mut Request<B>, protocol: Protocol) -> Result<(), NoHost> {
    match protocol {
        Protocol::Http1 => adapt_http1(request),
        Protocol::Http2 => adapt_http2(request),
    }
}

/// Origin form and `Host`.
fn adapt_http1<B>(request: &mut Request<B>) -> Result<(), NoHost> {
    *request.version_mut() = Version::HTTP_11;
    // What the URI says counts, whatever else was said (RFC 9112 3.2.2).
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| NoHost)?;
        let path = path_of(request.uri());
        request.headers_mut().insert(HOST, host);
        *request.uri_mut() = Uri::from(path);
    } else if request.headers().contains_key(HOST) {
        only_host(request.headers()).ok_or(NoHost)?;
    }
    Ok(())
}

/// Absolute form and no `Host`.
fn adapt_http2<B>(request: &mut Request<B>) -> Result<(), NoHost> {
    *request.version_mut() = Version::HTTP_2;
    let host = only_host(request.headers()).cloned();
    request.headers_mut().remove(HOST);
    if request.uri().authority().is_none() {
        let host = host.ok_or(NoHost)?;
        let path = path_of(request.uri());
        *request.uri_mut() = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(host.as_bytes())
            .path_and_query(path)
            .build()
            .map_err(|_| NoHost)?;
    }
    Ok(())
}

fn path_of(uri: &Uri) -> PathAndQuery {
    uri.path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{adapt, host};
    use crate::upstream::Protocol;

    #[test]
    fn uri_counts_more_than_the_header_and_two_headers_are_none() {
        // URI, hosts, who is asked
        let cases: [(&str, &[&str], Option<&str>); 4] = [
            ("/", &["a"], Some("a")),
            ("http://a/", &["b"], Some("a")),
            ("http://a/", &["b", "c"], Some("a")),
            ("/", &["a", "a"], None),
        ];
        for (uri, hosts, expected) in cases {
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let mut request = Request::builder().uri(uri);
                for host in hosts {
                    request = request.header("host", *host);
                }
                let mut request = request.body(()).unwrap();
                assert_eq!(host(&request), expected, "{uri} {hosts:?}");
                let adapted = adapt(&mut request, protocol);
                assert_eq!(adapted.is_ok(), expected.is_some(), "{uri} {hosts:?}");
                if adapted.is_ok() {
                    assert_eq!(host(&request), expected, "{uri} {hosts:?} {protocol:?}");
                }
            }
        }
    }
}
