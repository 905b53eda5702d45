//! The server that activators report to: WebSocket on any path, binary frames of protobuf
//! (contract/data-plane 1.9). A report takes effect in the task that reads it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use net::contract::user_agent;
use net::stat::{Stat, WireStatMessages};
use prost::Message as _;
use runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

use crate::id::RevisionId;
use crate::ledger::{Ledger, Sample};

/// Activators that may be connected at once: far more than any cluster has.
const MOST_STREAMS: usize = 1024;
/// Largest frame: about 40,000 revisions of one activator.
const LARGEST_FRAME: usize = 4 << 20;
/// How often a silent activator is asked for a sign of life, and how often it may stay away.
const PING: Duration = Duration::from_secs(5);
const MISSED_PINGS: u32 = 3;
/// Longest time for activators to hear that we go.
const FAREWELL: Duration = Duration::from_secs(5);
/// Close code "service restart": clients come back at once.
const RESTARTING: u16 = 1012;

#[derive(Clone)]
struct Desk {
    ledger: Arc<Ledger>,
    shutdown: Shutdown,
}

/// Takes reports on `listener` until shutdown; then tells every activator to come back.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    ledger: Arc<Ledger>,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let desk = Desk {
        ledger: Arc::clone(&ledger),
        shutdown: shutdown.clone(),
    };
    let app = Router::new().fallback(receive).with_state(desk);
    let stop = async move { shutdown.wait().await };
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;
    let farewell = async {
        let mut look = interval(Duration::from_millis(50));
        while ledger.streams() > 0 {
            look.tick().await;
        }
    };
    // Whoever has not heard it by then finds a closed connection.
    let _ = timeout(FAREWELL, farewell).await;
    Ok(())
}

async fn receive(
    State(desk): State<Desk>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    if agent.starts_with(user_agent::KUBELET_PREFIX) {
        return StatusCode::OK.into_response();
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade.max_message_size(LARGEST_FRAME),
        Err(rejection) => return rejection.into_response(),
    };
    if desk.ledger.streams() >= MOST_STREAMS || desk.shutdown.is_requested() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade.on_upgrade(move |socket| read(socket, desk))
}

/// Reads one activator's reports until it goes, falls silent, or we go.
async fn read(mut socket: WebSocket, desk: Desk) {
    let _stream = desk.ledger.listen(Timestamp::now());
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    loop {
        tokio::select! {
            frame = socket.recv() => match frame {
                Some(Ok(Message::Binary(bytes))) => take(&desk.ledger, &bytes, Timestamp::now()),
                Some(Ok(Message::Close(_))) | None => return,
                Some(Ok(_)) => {}
                Some(Err(error)) => return debug!(%error, "stream of statistics broke"),
            },
            _ = ping.tick() => {
                missed += 1;
                let alive = missed <= MISSED_PINGS;
                if !alive || socket.send(Message::Ping(Default::default())).await.is_err() {
                    return debug!("an activator gave no sign of life");
                }
                continue;
            }
            () = desk.shutdown.wait() => return say_goodbye(socket).await,
        }
        missed = 0;
    }
}

async fn say_goodbye(mut socket: WebSocket) {
    let frame = CloseFrame {
        code: RESTARTING,
        reason: "Restarting".into(),
    };
    // An activator that is gone needs no farewell.
    let _ = timeout(FAREWELL, socket.send(Message::Close(Some(frame)))).await;
}

fn take(ledger: &Ledger, frame: &[u8], now: Timestamp) {
    let reports = match WireStatMessages::decode(frame) {
        Ok(reports) => reports,
        Err(error) => return warn!(%error, "a report can't be read"),
    };
    for report in reports.messages {
        if let Some(sample) = report.stat.as_ref().and_then(sample) {
            ledger.record(RevisionId::new(report.namespace, report.name), sample, now);
        }
    }
}

/// What a report says that others have not said already. Nothing for a report that makes no
/// sense: one wrong number would stay in the windows for an hour.
fn sample(stat: &Stat) -> Option<Sample> {
    let sample = Sample {
        concurrency: stat.average_concurrent_requests - stat.average_proxied_concurrent_requests,
        requests: stat.request_count - stat.proxied_request_count,
    };
    (sample.concurrency.is_finite() && sample.requests.is_finite()).then_some(sample)
}

#[cfg(test)]
mod tests;
