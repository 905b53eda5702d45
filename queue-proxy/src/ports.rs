//! The ports beside the one for requests: statistics, metrics, admin.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use net::{
    contract::name,
    serve::{ServeSettings, serve},
};
use prost::Message as _;
use runtime::shutdown::Shutdown;
use tokio::net::TcpListener;

use crate::{drain::Drain, metrics::Metrics, report::Reporter};

/// A page that a port shows.
type Page = Response<Full<Bytes>>;

/// Binds a port on all addresses of both families, or of IPv4 where there is no IPv6.
///
/// # Errors
/// When the port is taken.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

/// Statistics for the autoscaler, protobuf.
pub async fn statistics(
    listener: TcpListener,
    reporter: Reporter,
    until: impl Future<Output = ()>,
) {
    let page = move || {
        let stat = reporter.stat().encode_to_vec();
        shown("application/protobuf", stat.into())
    };
    pages(listener, name::METRICS_PATH, page, until).await;
}

/// Metrics for Prometheus, text.
pub async fn metrics(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    until: impl Future<Output = ()>,
) {
    let page = move || shown("text/plain; version=0.0.4", metrics.text().into());
    pages(listener, name::METRICS_PATH, page, until).await;
}

/// The app's preStop hook.
pub async fn admin(
    listener: TcpListener,
    drain: Drain,
    sigterm: Shutdown,
    until: impl Future<Output = ()>,
) {
    let service = move |_: SocketAddr| {
        let (drain, sigterm) = (drain.clone(), sigterm.clone());
        service_fn(move |request: Request<Incoming>| {
            let (drain, sigterm) = (drain.clone(), sigterm.clone());
            async move {
                if request.uri().path() != name::DRAIN_PATH {
                    return Ok::<_, Infallible>(missing());
                }
                drain.wait_for(async move { sigterm.wait().await }).await;
                Ok(shown("text/plain", Bytes::new()))
            }
        })
    };
    serve(listener, ServeSettings::default(), service, until).await;
}

async fn pages(
    listener: TcpListener,
    path: &'static str,
    page: impl Fn() -> Page + Clone + Send + 'static,
    until: impl Future<Output = ()>,
) {
    let service = move |_: SocketAddr| {
        let page = page.clone();
        service_fn(move |request: Request<Incoming>| {
            let found = request.uri().path() == path;
            let response = if found { page() } else { missing() };
            async { Ok::<_, Infallible>(response) }
        })
    };
    serve(listener, ServeSettings::default(), service, until).await;
}

fn shown(kind: &'static str, content: Bytes) -> Page {
    let mut response = Response::new(Full::new(content));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn missing() -> Page {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
