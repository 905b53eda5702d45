//! The host of a request, which HTTP/1.1 and HTTP/2 keep in different places.

use http::{
    HeaderValue, Request, Uri, Version,
    header::HOST,
    uri::{Authority, PathAndQuery, Scheme},
};
use thiserror::Error;

use crate::upstream::Protocol;

/// A host that can't be one.
#[derive(Debug, Error)]
#[error("request has no valid host")]
pub struct NoHost;

/// The host that the client asked for, port included: `:authority`, or `Host`.
pub fn host<B>(request: &Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(HOST)?.to_str().ok(),
    }
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
pub(crate) fn adapt<B>(request: &mut Request<B>, protocol: Protocol) -> Result<(), NoHost> {
    match protocol {
        Protocol::Http1 => adapt_http1(request),
        Protocol::Http2 => adapt_http2(request),
    }
}

/// Origin form and `Host`.
fn adapt_http1<B>(request: &mut Request<B>) -> Result<(), NoHost> {
    *request.version_mut() = Version::HTTP_11;
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| NoHost)?;
        let path = path_of(request.uri());
        request.headers_mut().entry(HOST).or_insert(host);
        *request.uri_mut() = Uri::from(path);
    }
    Ok(())
}

/// Absolute form and no `Host`.
fn adapt_http2<B>(request: &mut Request<B>) -> Result<(), NoHost> {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
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
