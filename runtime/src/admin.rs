//! The admin server: liveness, readiness, metrics, and what a process wants to show beside.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;

use crate::process::Process;
use crate::ready::Ready;
use crate::shutdown::Shutdown;

/// What the admin server shows.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// Metrics for Prometheus.
    pub registry: Registry,
    /// Whether the process is ready.
    pub ready: Ready,
    /// Further pages.
    pub routes: Router,
}

/// Serves `/livez`, `/readyz`, `/metrics` and [`Admin::routes`] at `address` until shutdown.
/// Readiness is 503 and names what is missing; it also fails once shutdown was requested. The
/// metrics that every process has are added to the registry.
///
/// # Errors
/// When the address can't be bound.
pub async fn serve(address: SocketAddr, admin: Admin, shutdown: Shutdown) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    add_metrics_of_every_process(&admin.registry);
    let stop = shutdown.clone();
    let own = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readiness))
        .with_state((admin.ready, shutdown))
        .route("/metrics", get(metrics).with_state(admin.registry));
    axum::serve(listener, own.merge(admin.routes))
        .with_graceful_shutdown(async move { stop.wait().await })
        .await
}

/// A registry that is served on two ports has them after the first.
fn add_metrics_of_every_process(registry: &Registry) {
    let known = |error: prometheus::Error| tracing::debug!(%error, "metrics are there already");
    let process = Process::new().and_then(|process| registry.register(Box::new(process)));
    process.unwrap_or_else(known);
    #[cfg(feature = "kube")]
    crate::kube::requests::register(registry).unwrap_or_else(known);
}

async fn readiness(State((ready, shutdown)): State<(Ready, Shutdown)>) -> impl IntoResponse {
    if shutdown.is_requested() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down".to_owned());
    }
    match ready.missing().as_slice() {
        [] => (StatusCode::OK, "ok".to_owned()),
        missing => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("waiting for: {}", missing.join(", ")),
        ),
    }
}

async fn metrics(State(registry): State<Registry>) -> impl IntoResponse {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => (
            StatusCode::OK,
            [(CONTENT_TYPE, encoder.format_type().to_owned())],
            text,
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(CONTENT_TYPE, "text/plain".to_owned())],
            error.to_string().into_bytes(),
        ),
    }
}
