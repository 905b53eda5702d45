//! The server that activators report to: WebSocket on any path, binary frames of protobuf
//! (contract/data-plane 1.9). A report takes effect in the task that reads it, and is passed on to
//! the other replicas, which connect to a path of their own.

mod backlog;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures::FutureExt;
use jiff::Timestamp;
use net::contract::user_agent;
use net::stat::{Stat, WireStatMessage, WireStatMessages};
use prost::Message as _;
use runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, warn};

use crate::id::RevisionId;
use crate::ledger::{Ledger, Sample, Stream};
use crate::peers::{self, Peers};
use backlog::Backlog;

/// Activators and replicas that may be connected at once: far more than any cluster has.
const MOST_STREAMS: usize = 1024;
/// Largest frame: about 40,000 revisions of one activator.
const LARGEST_FRAME: usize = 4 << 20;
/// How often a silent activator is asked for a sign of life, and how often it may stay away.
const PING: Duration = Duration::from_secs(5);
const MISSED_PINGS: u32 = 3;
/// When a replica that has connected is told what it has missed: it knows its revisions by then.
const HISTORY: Duration = Duration::from_secs(5);
/// Longest time for activators to hear that we go.
const FAREWELL: Duration = Duration::from_secs(5);
/// Close code "service restart": clients come back at once.
const RESTARTING: u16 = 1012;

/// Where reports go.
#[derive(Clone, Debug)]
pub struct Desk {
    /// What was reported.
    pub ledger: Arc<Ledger>,
    /// Who else must know.
    pub peers: Arc<Peers>,
    /// The request to stop.
    pub shutdown: Shutdown,
}

/// Who is at the other end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Teller {
    Activator,
    Peer,
}

/// Takes reports on `listener` until shutdown; then tells everybody to come back.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, desk: Desk) -> std::io::Result<()> {
    let (ledger, shutdown) = (Arc::clone(&desk.ledger), desk.shutdown.clone());
    let open = Arc::new(Semaphore::new(MOST_STREAMS));
    let receiver = |teller| {
        let (desk, open) = (desk.clone(), Arc::clone(&open));
        move |headers, upgrade| receive(desk, teller, open, headers, upgrade)
    };
    let app = Router::new()
        .route(peers::PATH, get(receiver(Teller::Peer)))
        .fallback(receiver(Teller::Activator));
    axum::serve(listener, app)
        .with_graceful_shutdown(async move { shutdown.wait().await })
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
    desk: Desk,
    teller: Teller,
    open: Arc<Semaphore>,
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
    match open.try_acquire_owned() {
        Ok(place) if !desk.shutdown.is_requested() => {
            upgrade.on_upgrade(move |socket| async move {
                read(socket, &desk, teller).await;
                drop(place);
            })
        }
        Ok(_) | Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Reads one stream of reports until its sender goes, falls silent, or we go.
async fn read(mut socket: WebSocket, desk: &Desk, teller: Teller) {
    let _stream = teller.enter(desk);
    let mut backlog = Backlog::default();
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    let mut history = std::pin::pin!(sleep(HISTORY));
    let mut told = teller == Teller::Activator;
    loop {
        tokio::select! {
            () = &mut history, if !told => {
                told = true;
                if let Err(error) = tell_history(&mut socket, &desk.ledger).await {
                    return debug!(%error, "history was not taken");
                }
                continue;
            }
            frame = socket.recv() => match frame {
                Some(Ok(Message::Binary(first))) => {
                    let frames = with_those_behind(&first, &mut socket);
                    for (frame, at) in backlog.dated(frames, Timestamp::now()) {
                        desk.take(frame, teller, at);
                    }
                }
                Some(Ok(Message::Close(_))) | None => return,
                Some(Ok(_)) => {}
                Some(Err(error)) => return debug!(%error, "stream of statistics broke"),
            },
            _ = ping.tick() => {
                missed += 1;
                let alive = missed <= MISSED_PINGS;
                if !alive || socket.send(Message::Ping(Default::default())).await.is_err() {
                    return debug!(?teller, "no sign of life");
                }
                continue;
            }
            () = desk.shutdown.wait() => return say_goodbye(socket).await,
        }
        missed = 0;
    }
}

/// The reports of this frame, and those that lie ready behind it. What ends the stream is met again.
fn with_those_behind(first: &[u8], socket: &mut WebSocket) -> Vec<WireStatMessages> {
    let mut frames: Vec<_> = decoded(first).into_iter().collect();
    while frames.len() < backlog::MOST
        && let Some(Some(Ok(message))) = socket.recv().now_or_never()
    {
        if let Message::Binary(next) = message {
            frames.extend(decoded(&next));
        }
    }
    frames
}

fn decoded(frame: &[u8]) -> Option<WireStatMessages> {
    WireStatMessages::decode(frame)
        .inspect_err(|error| warn!(%error, "a report can't be read"))
        .ok()
}

/// Tells another replica what it may have missed.
async fn tell_history(socket: &mut WebSocket, ledger: &Ledger) -> Result<(), axum::Error> {
    for frame in peers::history::frames(ledger, Timestamp::now()) {
        socket.send(Message::Binary(frame)).await?;
    }
    Ok(())
}

/// Says that we go, and hears the other side out: what it has sent already would otherwise make the
/// connection break before our word is read.
async fn say_goodbye(mut socket: WebSocket) {
    let frame = CloseFrame {
        code: RESTARTING,
        reason: "Restarting".into(),
    };
    let farewell = async {
        socket.send(Message::Close(Some(frame))).await?;
        while socket.recv().await.transpose()?.is_some() {}
        Ok::<(), axum::Error>(())
    };
    // Whoever is gone needs no farewell.
    let _ = timeout(FAREWELL, farewell).await;
}

impl Teller {
    fn enter(self, desk: &Desk) -> Option<Stream> {
        match self {
            Self::Activator => Some(desk.ledger.listen(Timestamp::now())),
            Self::Peer => None,
        }
    }
}

impl Desk {
    /// Takes one frame of reports.
    fn take(&self, frame: WireStatMessages, teller: Teller, now: Timestamp) {
        let reports = frame.messages;
        if teller == Teller::Peer && reports.is_empty() {
            self.ledger.relayed(now);
        }
        let first_hand = reports
            .into_iter()
            .filter_map(|report| self.note(report, now));
        self.pass_on(first_hand.collect());
    }

    /// Takes one report. Returns it, stamped, if nobody but us has it.
    fn note(&self, report: WireStatMessage, now: Timestamp) -> Option<WireStatMessage> {
        let stat = report.stat.as_ref()?;
        let (sample, stamp) = (sample(stat)?, stat.timestamp);
        let id = RevisionId::new(report.namespace.as_str(), report.name.as_str());
        self.ledger.record(id, sample, second(stamp, now));
        (stamp == 0).then(|| stamped(report, now))
    }

    fn pass_on(&self, messages: Vec<WireStatMessage>) {
        if !messages.is_empty() && !self.peers.is_empty() {
            let frame = WireStatMessages { messages }.encode_to_vec();
            self.peers.tell(&Bytes::from(frame));
        }
    }
}

/// The second that a report is about: that of its stamp, if it has one. Clocks differ, and nothing
/// has happened in the future.
fn second(stamp: i64, now: Timestamp) -> Timestamp {
    match Timestamp::from_second(stamp) {
        Ok(at) if stamp != 0 => at.min(now),
        Ok(_) | Err(_) => now,
    }
}

fn stamped(mut report: WireStatMessage, now: Timestamp) -> WireStatMessage {
    if let Some(stat) = &mut report.stat {
        stat.timestamp = now.as_second();
    }
    report
}

/// What a report says that others have not said already. Nothing for a report that makes no
/// sense: one wrong number would stay in the windows for an hour.
pub(crate) fn sample(stat: &Stat) -> Option<Sample> {
    let sample = Sample {
        concurrency: stat.average_concurrent_requests - stat.average_proxied_concurrent_requests,
        requests: stat.request_count - stat.proxied_request_count,
    };
    (sample.concurrency.is_finite() && sample.requests.is_finite()).then_some(sample)
}

#[cfg(test)]
mod tests;
